/* names.c - C names, by the rules of protoc-c.
 *
 * Letters are ASCII's whatever the locale: names in a .proto have no others. */
#include "names.h"

#include <string.h>

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_letter(char c)
{
    return is_upper(c) || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char to_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static char to_lower(char c)
{
    return is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

static void add_char(struct gen_text *t, char c)
{
    gen_text_add_bytes(t, &c, 1);
}

/* quote_request -> QuoteRequest */
static void add_camel(struct gen_text *t, const char *s, size_t n)
{
    bool next_is_upper = true;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '_') {
            next_is_upper = true;
            continue;
        }
        add_char(t, next_is_upper ? to_upper(s[i]) : s[i]);
        next_is_upper = false;
    }
}

/* QuoteRequest -> quote_request, HTTPGet -> httpget */
static void add_snake(struct gen_text *t, const char *s, size_t n)
{
    bool was_upper = true; /* no _ in front */
    for (size_t i = 0; i < n; i++) {
        if (is_upper(s[i]) && !was_upper)
            add_char(t, '_');
        was_upper = is_upper(s[i]);
        add_char(t, to_lower(s[i]));
    }
}

typedef void add_part_fn(struct gen_text *t, const char *s, size_t n);

static char *join_parts(struct stint__arena *arena, const char *full_name, const char *separator,
                        add_part_fn *add_part)
{
    struct gen_text t;
    gen_text_init(&t, arena);
    gen_text_add(&t, "");
    for (const char *s = full_name; *s != '\0';) {
        size_t n = strcspn(s, ".");
        if (n > 0 && t.len > 0)
            gen_text_add(&t, separator);
        add_part(&t, s, n);
        s += n + (s[n] == '.');
    }
    return t.data;
}

char *gen_name_type(struct stint__arena *arena, const char *full_name)
{
    return join_parts(arena, full_name, "__", add_camel);
}

char *gen_name_lower(struct stint__arena *arena, const char *full_name, const char *separator)
{
    return join_parts(arena, full_name, separator, add_snake);
}

char *gen_name_upper(struct stint__arena *arena, const char *name)
{
    char *s = gen_format(arena, "%s", name);
    for (char *p = s; *p != '\0'; p++)
        *p = to_upper(*p);
    return s;
}

const char *gen_name_safe(struct stint__arena *arena, const char *name)
{
    /* Those of C11 and C++20 that have a lower-case letter only. */
    static const char words[] =
        " alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t"
        " char16_t char32_t class compl concept const const_cast consteval constexpr constinit"
        " continue co_await co_return co_yield decltype default delete do double dynamic_cast else"
        " enum explicit export extern false float for friend goto if inline int long main mutable"
        " namespace new noexcept not not_eq nullptr operator or or_eq private protected public"
        " register reinterpret_cast requires restrict return short signed sizeof static"
        " static_assert static_cast struct switch template this thread_local throw true try typedef"
        " typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq ";
    return strstr(words, gen_format(arena, " %s ", name)) != NULL ? gen_format(arena, "%s_", name)
                                                                  : name;
}

char *gen_name_without_proto(struct stint__arena *arena, const char *file)
{
    static const char *const endings[] = {".protodevel", ".proto"};
    size_t n = strlen(file);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t m = strlen(endings[i]);
        if (n >= m && strcmp(file + n - m, endings[i]) == 0)
            return gen_format(arena, "%.*s", (int)(n - m), file);
    }
    return gen_format(arena, "%s", file);
}

char *gen_name_guard(struct stint__arena *arena, const char *base)
{
    /* An identifier must not begin with a digit. */
    char *s = gen_format(arena, "%s%s_STINT_H", is_digit(base[0]) ? "P" : "", base);
    for (char *p = s; *p != '\0'; p++)
        *p = is_letter(*p) || is_digit(*p) ? to_upper(*p) : '_';
    return s;
}

bool gen_name_is_identifier(const char *s)
{
    return gen_name_is_qualified(s) && strchr(s, '.') == NULL;
}

bool gen_name_is_qualified(const char *s)
{
    if (s[0] == '\0')
        return false;
    for (size_t i = 0; s[i] != '\0'; i++) {
        bool first = i == 0 || s[i - 1] == '.';
        if (!is_letter(s[i]) && (first || (!is_digit(s[i]) && s[i] != '.')))
            return false;
    }
    return s[strlen(s) - 1] != '.';
}
