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
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    return c;
}

static char to_lower(char c)
{
    if (is_upper(c))
        return (char)(c - 'A' + 'a');
    return c;
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
        char upper = to_upper(s[i]);
        gen_text_add_bytes(t, next_is_upper ? &upper : &s[i], 1);
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

/* Words have a blank on each side. */
static bool is_one_of(struct stint__arena *arena, const char *words, const char *name)
{
    return strstr(words, gen_format(arena, " %s ", name)) != NULL;
}

bool gen_name_is_keyword(struct stint__arena *arena, const char *name)
{
    static const char words[] =
        " alignas alignof asm auto bool break case char const constexpr continue default do double"
        " else enum extern false float for goto if inline int long nullptr register restrict return"
        " short signed sizeof static static_assert struct switch thread_local true typedef typeof"
        " typeof_unqual union unsigned void volatile while ";
    return is_one_of(arena, words, name);
}

const char *gen_name_safe(struct stint__arena *arena, const char *name)
{
    static const char words_of_cxx[] =
        " and and_eq bitand bitor catch char16_t char32_t char8_t class co_await co_return co_yield"
        " compl concept const_cast consteval constinit decltype delete dynamic_cast explicit export"
        " friend mutable namespace new noexcept not not_eq operator or or_eq private protected"
        " public reinterpret_cast requires static_cast template this throw try typeid typename"
        " using virtual wchar_t xor xor_eq ";
    bool safe = !gen_name_is_keyword(arena, name) && !is_one_of(arena, words_of_cxx, name) &&
                strcmp(name, "main") != 0;
    return safe ? name : gen_format(arena, "%s_", name);
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
    for (char *p = s; *p != '\0'; p++) {
        if (!is_letter(*p) && !is_digit(*p))
            *p = '_';
        *p = to_upper(*p);
    }
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
