// client.cc - Cap'n Proto RPC: everything on one event loop, no deadline, no metadata.
#include "bench.h"

#include <capnp/ez-rpc.h>

#include <string.h>

#include "echo.capnp.h"

namespace
{

kj::String CapnpAddr(const char *addr)
{
    return strncmp(addr, "tcp:", 4) == 0 ? kj::str(addr + 4) : kj::str(addr);
}

struct Conn {
    capnp::EzRpcClient rpc;
    Echo::Client echo;
    explicit Conn(const opts &o) : rpc(CapnpAddr(o.addr).cStr()), echo(rpc.getMain<Echo>()) {}
};

using Request = capnp::Request<Echo::CallParams, Echo::CallResults>;

Request NewRequest(Echo::Client &echo, const opts &o, uint32_t delay_ms)
{
    auto req = echo.callRequest(capnp::MessageSize{(uint64_t)o.size / 8 + 16, 0});
    memset(req.initPayload((unsigned)o.size).begin(), 'x', (size_t)o.size);
    req.setDelayMs(delay_ms);
    return req;
}

struct One {
    const opts *o;
    Conn *conn;
};

int BlockingCall(void *arg)
{
    One *c = static_cast<One *>(arg);
    auto resp = NewRequest(c->conn->echo, *c->o, 0).send().wait(c->conn->rpc.getWaitScope());
    return resp.getPayload().size() == (size_t)c->o->size ? 0 : -1;
}

// The closed loop: each completion counts and starts its slot's next call as
// a new task (a recursive promise chain would grow for ever).
class Slots final : public kj::TaskSet::ErrorHandler
{
  public:
    explicit Slots(struct loop *l) : l_(l), tasks_(*this) {}

    void Send(Echo::Client &echo, int index)
    {
        tasks_.add(NewRequest(echo, l_->o, 0).send().then([this, &echo, index](auto &&resp) {
            bool good = resp.getPayload().size() == (size_t)l_->o.size;
            if (loop_done(l_, index, good))
                Send(echo, index);
        }));
    }
    kj::Promise<void> OnEmpty() { return tasks_.onEmpty(); }

  private:
    void taskFailed(kj::Exception &&e) override { die("call", e.getDescription().cStr()); }
    struct loop *l_;
    kj::TaskSet tasks_;
};

int ClosedLoop(const opts &o)
{
    kj::Vector<kj::Own<Conn>> conns;
    for (int i = 0; i < o.conns; i++) {
        conns.add(kj::heap<Conn>(o));
        One one{&o, conns.back().get()};
        if (BlockingCall(&one) != 0)
            die("first call", o.addr);
    }
    struct loop l;
    loop_start(&l, &o, o.conns * o.inflight);
    Slots slots(&l);
    for (int i = 0; i < o.conns * o.inflight; i++)
        slots.Send(conns[i / o.inflight]->echo, i);
    slots.OnEmpty().wait(conns[0]->rpc.getWaitScope());
    return loop_finish(&l);
}

struct HoldRun {
    const opts *o;
    hold h;
    int rc = 1;
};

void *HoldReport(void *arg)
{
    HoldRun *r = static_cast<HoldRun *>(arg);
    r->rc = hold_report(&r->h, r->o);
    return nullptr;
}

int Hold(const opts &o)
{
    Conn conn(o);
    One one{&o, &conn};
    for (int i = 0; i < 100; i++)
        if (BlockingCall(&one) != 0)
            die("warm-up", "call failed");
    HoldRun run{};
    run.o = &o;
    hold_before(&run.h, &o);
    pthread_t reporter;
    if (pthread_create(&reporter, nullptr, HoldReport, &run) != 0)
        die("pthread_create", "reporter");
    auto all = kj::heapArrayBuilder<kj::Promise<void>>(o.calls);
    for (int i = 0; i < o.calls; i++)
        all.add(
            NewRequest(conn.echo, o, 1000).send().then([&run](auto &&) { hold_done(&run.h, 1); }));
    kj::joinPromises(all.finish()).wait(conn.rpc.getWaitScope());
    pthread_join(reporter, nullptr);
    return run.rc;
}

int Latency(const opts &o)
{
    Conn conn(o);
    One one{&o, &conn};
    return run_lat(&o, BlockingCall, &one);
}

} // namespace

int main(int argc, char **argv)
{
    opts o = parse_opts(argc, argv);
    if (strcmp(o.mode, "lat") == 0)
        return Latency(o);
    if (strcmp(o.mode, "thr") == 0)
        return ClosedLoop(o);
    if (strcmp(o.mode, "hold") == 0)
        return Hold(o);
    die("capnp has no mode", o.mode);
}
