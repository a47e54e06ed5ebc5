// client.cc - gRPC C++. --kind cb | cq picks the API for calls in flight; one call at a time (W1)
// uses the blocking stub.
#include "bench.h"

#include <grpcpp/grpcpp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "echo.grpc.pb.h"

using bench::Echo;
using bench::Msg;
using grpc::Status;

namespace
{

std::unique_ptr<Echo::Stub> Dial(const opts &o)
{
    grpc::ChannelArguments args;
    // every channel its own connection
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    args.SetMaxReceiveMessageSize(-1);
    std::string addr = strncmp(o.addr, "tcp:", 4) == 0 ? o.addr + 4 : o.addr;
    auto ch = grpc::CreateCustomChannel(addr, grpc::InsecureChannelCredentials(), args);
    if (!ch->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(5)))
        die("no connection", o.addr);
    return Echo::NewStub(ch);
}

// The deadline and the two metadata entries that every call carries.
void Decorate(grpc::ClientContext *ctx, int deadline_ms, uint64_t id)
{
    char trace[33], request[17];
    snprintf(trace, sizeof trace, "%016llx%016llx",
             (unsigned long long)(id * 0x9e3779b97f4a7c15ull), (unsigned long long)id);
    snprintf(request, sizeof request, "%016llx", (unsigned long long)id);
    ctx->set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(deadline_ms));
    ctx->AddMetadata("x-trace-id", trace);
    ctx->AddMetadata("x-request-id", request);
}

// One call in flight, reissued as often as its owner wants.
struct Slot {
    const opts *o;
    Echo::Stub *stub;
    struct loop *loop;
    grpc::CompletionQueue *cq;
    int index;
    uint64_t next_id;
    Msg req, resp;
    Status status;
    std::optional<grpc::ClientContext> ctx;
    std::unique_ptr<grpc::ClientAsyncResponseReader<Msg>> reader;

    bool Good() const { return status.ok() && resp.payload().size() == (size_t)o->size; }
    void NewContext()
    {
        ctx.emplace();
        if (o->meta)
            Decorate(&*ctx, o->deadline_ms, next_id++);
    }
    void Send()
    {
        NewContext();
        if (cq) {
            reader = stub->AsyncCall(&*ctx, req, cq);
            reader->Finish(&resp, &status, this);
        } else {
            stub->async()->Call(&*ctx, &req, &resp, [this](Status s) {
                status = std::move(s);
                if (loop_done(loop, index, Good()))
                    Send();
            });
        }
    }
};

void CqLoop(grpc::CompletionQueue *cq)
{
    void *tag;
    bool ok;
    while (cq->Next(&tag, &ok)) {
        Slot *s = static_cast<Slot *>(tag);
        if (loop_done(s->loop, s->index, ok && s->Good()))
            s->Send();
    }
}

void InitSlot(Slot *s, const opts &o, Echo::Stub *stub, int index)
{
    s->o = &o;
    s->stub = stub;
    s->index = index;
    s->next_id = ((uint64_t)index << 32) + 1;
    s->req.set_payload(std::string((size_t)o.size, 'x'));
}

int BlockingCall(void *arg)
{
    Slot *s = static_cast<Slot *>(arg);
    s->NewContext();
    s->status = s->stub->Call(&*s->ctx, s->req, &s->resp);
    return s->Good() ? 0 : -1;
}

int Latency(const opts &o)
{
    auto stub = Dial(o);
    Slot s{};
    InitSlot(&s, o, stub.get(), 0);
    return run_lat(&o, BlockingCall, &s);
}

int ClosedLoop(const opts &o)
{
    std::vector<std::unique_ptr<Echo::Stub>> stubs;
    for (int i = 0; i < o.conns; i++)
        stubs.push_back(Dial(o));
    grpc::CompletionQueue cq;
    bool use_cq = strcmp(o.kind, "cq") == 0;
    std::vector<Slot> slots(o.conns * o.inflight);
    struct loop l;
    loop_start(&l, &o, (int)slots.size());
    std::thread poller;
    if (use_cq)
        poller = std::thread(CqLoop, &cq);
    for (size_t i = 0; i < slots.size(); i++) {
        InitSlot(&slots[i], o, stubs[i / o.inflight].get(), (int)i);
        slots[i].loop = &l;
        slots[i].cq = use_cq ? &cq : nullptr;
        slots[i].Send();
    }
    int rc = loop_finish(&l);
    _exit(rc);
}

int Hold(const opts &o)
{
    auto stub = Dial(o);
    Slot warm{};
    InitSlot(&warm, o, stub.get(), 0);
    for (int i = 0; i < 100; i++)
        if (BlockingCall(&warm) != 0)
            die("warm-up", "call failed");
    std::vector<Slot> slots(o.calls);
    hold h;
    hold_before(&h, &o);
    for (int i = 0; i < o.calls; i++) {
        Slot *s = &slots[i];
        InitSlot(s, o, stub.get(), i);
        s->req.set_delay_ms(1000);
        s->NewContext();
        stub->async()->Call(&*s->ctx, &s->req, &s->resp, [s, &h](Status st) {
            s->status = std::move(st);
            hold_done(&h, s->Good());
        });
    }
    int rc = hold_report(&h, &o);
    _exit(rc);
}

// W6: an open-loop call lives on its own until its callback.
struct ChainCall {
    Msg req, resp;
    grpc::ClientContext ctx;
};

void ChainSend(void *arg, chain_call *load)
{
    auto *stub = static_cast<Echo::Stub *>(arg);
    auto *call = new ChainCall;
    uint64_t deadline = chain_deadline(load);
    call->req.set_payload(std::string((size_t)load->chain->o.size, 'x'));
    call->req.set_client_deadline(deadline);
    call->req.set_burn_us(load->burn_us);
    Decorate(&call->ctx, 0, (uint64_t)(load - load->chain->calls));
    call->ctx.set_deadline(std::chrono::system_clock::now() +
                           std::chrono::nanoseconds((int64_t)(deadline - now_ns())));
    stub->async()->Call(&call->ctx, &call->req, &call->resp, [call, load](Status s) {
        chain_done(load, s.ok());
        delete call;
    });
}

int Chain(const opts &o)
{
    auto stub = Dial(o);
    // a few slow calls first, so that every hop is connected
    for (int i = 0; i < 20; i++) {
        grpc::ClientContext ctx;
        Msg req, resp;
        req.set_client_deadline(UINT64_MAX);
        req.set_payload("warm");
        if (!stub->Call(&ctx, req, &resp).ok())
            die("warm-up", "call failed");
    }
    int rc = run_chain(&o, ChainSend, stub.get());
    _exit(rc);
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
    if (strcmp(o.mode, "chain") == 0)
        return Chain(o);
    die("no such mode", o.mode);
}
