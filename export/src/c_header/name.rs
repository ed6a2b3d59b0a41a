//! Which names a model can have in C: those whose files, array and macros take nobody else's place.
//!
//! Guarantee: a name that passes is an identifier in C and C++, replaces neither the runtime's header nor one of the standard
//! library, and is none of the identifiers of either.

/// Keywords of C23, of C++23, and what compilers define besides.
const KEYWORDS: &str = "alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t \
    class co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default delete \
    do double dynamic_cast else enum explicit export extern false float for fortran friend goto if inline int long mutable namespace \
    new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires restrict return \
    short signed sizeof static static_assert static_cast struct switch template this thread_local throw true try typedef typeid \
    typename typeof typeof_unqual union unsigned using virtual void volatile wchar_t while xor xor_eq \
    i386 linux unix near far interrupt main";

/// Headers of the standard library. A file of that name in the folder of a project would be included in its place.
const HEADERS: &str = "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg \
    stdatomic stdbit stdbool stdckdint stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar unistd wchar wctype";

/// Functions and variables of the standard library that programs, and compilers by themselves, call by name: an array of that
/// name would be called.
const FUNCTIONS: &str = "abort abs acos asin atan atan2 atexit atof atoi atol bcmp bcopy bsearch bzero calloc ceil clearerr clock close cos cosh \
    ctime difftime div environ errno exit exp fabs fclose feof ferror fflush fgetc fgets floor fmod fopen fprintf fputc fputs fread free \
    freopen frexp fscanf fseek ftell fwrite getc getchar getenv gets gmtime index isalnum isalpha iscntrl isdigit isgraph islower \
    isprint ispunct isspace isupper isxdigit labs ldexp ldiv localeconv localtime log log10 longjmp lseek malloc mblen memchr memcmp \
    memcpy memmove memset mktime modf open perror pow printf putc putchar puts qsort raise rand read realloc remove rename rewind \
    round scanf setbuf setlocale setvbuf signal sin sinh sprintf sqrt srand sscanf stderr stdin stdout strcat strchr strcmp strcoll \
    strcpy strcspn strdup strerror strftime strlen strncat strncmp strncpy strpbrk strrchr strspn strstr strtod strtok strtol strtoul \
    strxfrm system tan tanh tmpfile tmpnam tolower toupper trunc ungetc va_arg va_end va_start vfprintf vprintf vsprintf wait write";

/// Whether a model may be called `name`.
///
/// # Errors
/// What is wrong with it and what to use.
pub fn check(name: &str) -> Result<(), String> {
    let refused =
        |why: &str, remedy: &str| Err(format!("`{name}` cannot be the name of a C array: {why}; {remedy}"));
    let is_one_of = |list: &str, name: &str| list.split_whitespace().any(|word| word == name);
    let mut letters = name.chars();
    let first = letters.next().is_some_and(|letter| letter.is_ascii_alphabetic());
    if !first || !letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_') || name.contains("__")
    {
        return refused("it is no identifier", "use letters, digits and single `_`, a letter first");
    }
    // File systems and macros do not tell cases apart.
    let lower = name.to_ascii_lowercase();
    let another = "choose another name, for instance `network`";
    if lower == "bomp" || lower.starts_with("bomp_") {
        refused("names that begin with `bomp` are the runtime's, and bomp.h is its header", another)
    } else if is_one_of(HEADERS, &lower) {
        refused(&format!("{lower}.h is a header of the standard library"), another)
    } else if is_one_of(KEYWORDS, name) {
        refused("it has a meaning in C or C++", another)
    } else if is_one_of(FUNCTIONS, name) || name.ends_with("_t") {
        refused("the standard library uses it", another)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_c_identifiers() {
        for good in ["digits", "a", "Model_2", "network", "bompy", "my_bomp", "Int", "strings"] {
            assert_eq!(check(good), Ok(()));
        }
        for bad in ["", "2nd", "a-b", "int", "class", "_x", "a__b", "main", "größe", "a b", "a;b", "co_await"]
        {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nobodys_place_is_taken() {
        for (bad, part) in [
            ("bomp", "bomp.h"),
            ("Bomp", "bomp.h"),
            ("BOMP", "bomp.h"),
            ("bomp_run", "runtime"),
            ("bomp_model", "runtime"),
            ("BOMP_STATUS_OK", "runtime"),
            ("stdint", "stdint.h"),
            ("String", "string.h"),
            ("memcpy", "standard library"),
            ("int8_t", "standard library"),
            ("linux", "meaning"),
        ] {
            let message = check(bad).unwrap_err();
            assert!(message.contains(&format!("`{bad}`")) && message.contains(part), "{message}");
            assert_eq!(message.lines().count(), 1);
        }
    }

    /// Every name that the runtime's header declares or defines is refused, whatever is added to it.
    #[test]
    fn the_runtimes_identifiers_are_refused() {
        let header = include_str!("../../../runtime/c/include/bomp.h");
        let code = header.lines().filter(|line| !line.trim_start().starts_with(['/', '*']));
        let words =
            code.flat_map(|line| line.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_'));
        let own: Vec<&str> = words.filter(|word| word.to_ascii_lowercase().starts_with("bomp")).collect();
        assert!(own.contains(&"bomp_run") && own.contains(&"BOMP_H"), "{own:?}");
        for name in own {
            assert!(check(name).is_err(), "{name}");
        }
    }
}
