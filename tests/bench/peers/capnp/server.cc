// server.cc - Cap'n Proto RPC: one thread, EzRpcServer.
#include "bench.h"

#include <capnp/ez-rpc.h>
#include <kj/async-io.h>
#include <kj/timer.h>
#include <string.h>
#include <unistd.h>

#include "echo.capnp.h"

namespace
{

kj::String CapnpAddr(const char *addr)
{
    return strncmp(addr, "tcp:", 4) == 0 ? kj::str(addr + 4) : kj::str(addr);
}

class EchoImpl final : public Echo::Server
{
  public:
    explicit EchoImpl(kj::Timer *const *timer) : timer_(timer) {}

    kj::Promise<void> call(CallContext ctx) override
    {
        auto req = ctx.getParams();
        uint32_t delay = req.getDelayMs();
        ctx.getResults().setPayload(req.getPayload());
        if (delay == 0)
            return kj::READY_NOW;
        return (*timer_)->afterDelay(delay * kj::MILLISECONDS);
    }

  private:
    kj::Timer *const *timer_;
};

} // namespace

int main(int argc, char **argv)
{
    opts o = parse_opts(argc, argv);
    kj::Timer *timer = nullptr;
    if (strncmp(o.addr, "unix:", 5) == 0)
        unlink(o.addr + 5);
    capnp::EzRpcServer server(kj::heap<EchoImpl>(&timer), CapnpAddr(o.addr));
    timer = &server.getIoProvider().getTimer();
    server.getPort().wait(server.getWaitScope());
    server_ready();
    kj::NEVER_DONE.wait(server.getWaitScope());
}
