// use.cc - the whole API as a C++20 program uses it. Compiled, not run: what it checks is that the
// headers and their macros are C++.
#include <stint/stint.h>

STINT_KEY_DECLARE(session, int)
STINT_KEY_DEFINE(session);

static stint_code open_both(stint_server **server, stint_channel **channel, stint_error *err)
{
    stint_code code = stint_server_new(server, STINT_SERVER_OPTIONS(.workers = 2), err);
    if (code == STINT_OK)
        code = stint_channel_open(
            channel, "ipc:///tmp/x",
            STINT_CHANNEL_OPTIONS(.default_timeout = STINT_MS(200), .wait_for_ready = true), err);
    return code;
}

int main()
{
    stint_error err = STINT_ERROR_INIT;
    stint_server *server = nullptr;
    stint_channel *channel = nullptr;
    int value = 1;
    STINT_AUTO_CTX parent = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(0.5));
    STINT_AUTO_CTX ctx = session_with(parent, &value);
    STINT_AUTO_CTX waiting =
        stint_ctx_with_call_options(ctx, STINT_CALL_OPTIONS(.wait_for_ready = true));
    stint_code code = open_both(&server, &channel, &err);
    if (code == STINT_OK)
        code = stint_channel_wait_ready(waiting, channel, &err);
    stint_channel_close(channel);
    stint_server_free(server);
    return code == STINT_OK && *session_of(ctx) == 1 ? 0 : 1;
}
