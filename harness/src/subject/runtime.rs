//! What a program runs on, guessed from how it is started, and what that runtime needs to go through a proxy.

/// A family of programs that treat proxies and authorities alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// Node.js.
    Node,
    /// Deno.
    Deno,
    /// Bun.
    Bun,
    /// Python.
    Python,
    /// Java, Kotlin, Scala: what runs on a JVM.
    Java,
    /// Go.
    Go,
    /// PHP.
    Php,
    /// Ruby.
    Ruby,
    /// .NET.
    Dotnet,
    /// Rust.
    Rust,
    /// Anything else, or a binary that tells nothing.
    Unknown,
}

/// Programs, by the beginning of their name; versions (`python3.12`) follow.
const PROGRAMS: &[(&str, Runtime)] = &[
    ("node", Runtime::Node),
    ("npm", Runtime::Node),
    ("npx", Runtime::Node),
    ("yarn", Runtime::Node),
    ("pnpm", Runtime::Node),
    ("tsx", Runtime::Node),
    ("ts-node", Runtime::Node),
    ("deno", Runtime::Deno),
    ("bun", Runtime::Bun),
    ("python", Runtime::Python),
    ("pypy", Runtime::Python),
    ("uv", Runtime::Python),
    ("poetry", Runtime::Python),
    ("pipenv", Runtime::Python),
    ("uvicorn", Runtime::Python),
    ("gunicorn", Runtime::Python),
    ("flask", Runtime::Python),
    ("java", Runtime::Java),
    ("mvn", Runtime::Java),
    ("gradle", Runtime::Java),
    ("kotlin", Runtime::Java),
    ("sbt", Runtime::Java),
    ("go", Runtime::Go),
    ("php", Runtime::Php),
    ("composer", Runtime::Php),
    ("ruby", Runtime::Ruby),
    ("bundle", Runtime::Ruby),
    ("rails", Runtime::Ruby),
    ("puma", Runtime::Ruby),
    ("rackup", Runtime::Ruby),
    ("dotnet", Runtime::Dotnet),
    ("cargo", Runtime::Rust),
];
/// Endings of files that only one runtime reads.
const ENDINGS: &[(&str, Runtime)] = &[
    (".js", Runtime::Node),
    (".mjs", Runtime::Node),
    (".cjs", Runtime::Node),
    (".py", Runtime::Python),
    (".jar", Runtime::Java),
    (".php", Runtime::Php),
    (".rb", Runtime::Ruby),
    (".dll", Runtime::Dotnet),
];

impl Runtime {
    /// What the words of a command line tell. The first that is known decides: `sh -c "exec node x.js"` is Node.
    #[must_use]
    pub fn of(argv: &[String]) -> Self {
        let words = argv.iter().flat_map(|word| word.split_whitespace());
        let known = words.map(|word| word.rsplit('/').next().unwrap_or(word)).find_map(Self::of_word);
        known.unwrap_or(Self::Unknown)
    }

    fn of_word(word: &str) -> Option<Self> {
        let versionless = word.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        // `gradlew`, `mvnw`: the wrappers that lie in a project.
        let named = |name: &str| versionless == name || versionless.strip_suffix('w') == Some(name);
        let by_name = PROGRAMS.iter().find(|(name, _)| named(name));
        by_name.or_else(|| ENDINGS.iter().find(|(ending, _)| word.ends_with(ending))).map(|(_, runtime)| *runtime)
    }

    /// What this runtime needs to send requests through the proxy, and to trust what comes back.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::Node => {
                "Node heeds HTTPS_PROXY from 22.21 and 24.5 on (NODE_USE_ENV_PROXY=1 is set); for fetch in an older one \
                 call setGlobalDispatcher(new EnvHttpProxyAgent()) of the package undici, for node:https use the package https-proxy-agent"
            }
            Self::Deno => "Deno's fetch heeds HTTPS_PROXY and DENO_CERT; it may need --allow-env and --allow-net",
            Self::Bun => "Bun's fetch heeds HTTPS_PROXY; node:https in it may not",
            Self::Python => {
                "requests, httpx and urllib heed HTTPS_PROXY; aiohttp does with trust_env=True, and none of them does where the code sets \
                 trust_env=False or proxies of its own. A verify=… or an SSL context in the code overrides REQUESTS_CA_BUNDLE and SSL_CERT_FILE"
            }
            Self::Java => {
                "HttpURLConnection heeds -Dhttps.proxyHost, which JAVA_TOOL_OPTIONS hands over; java.net.http.HttpClient needs \
                 .proxy(ProxySelector.getDefault()), Apache HttpClient .useSystemProperties(), OkHttp heeds it by itself"
            }
            Self::Go => {
                "http.DefaultTransport heeds HTTPS_PROXY; a Transport of one's own needs Proxy: http.ProxyFromEnvironment. \
                 SSL_CERT_FILE is read on Linux, not on macOS"
            }
            Self::Php => {
                "curl and Guzzle heed https_proxy; file_get_contents needs a stream context with a proxy. The authority comes by \
                 PHP_INI_SCAN_DIR, which sets curl.cainfo and openssl.cafile"
            }
            Self::Ruby => "Net::HTTP and Faraday heed http_proxy, and SSL_CERT_FILE",
            Self::Dotnet => "HttpClient heeds HTTPS_PROXY unless its handler has UseProxy = false; SSL_CERT_FILE is read on Linux",
            Self::Rust => {
                "reqwest heeds HTTPS_PROXY unless built with no_proxy(); SSL_CERT_FILE is read with native roots, not with webpki-roots"
            }
            Self::Unknown => {
                "its HTTP client must heed HTTPS_PROXY and SSL_CERT_FILE, or be handed {proxy_url} and {ca_file} in [start.env]"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Runtime {
        Runtime::of(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_runtime_is_known_by_its_program() {
        for (line, runtime) in [
            ("node server.js", Runtime::Node),
            ("../.venv/bin/python3.12 app.py", Runtime::Python),
            ("env A=1 php8.3 artisan serve", Runtime::Php),
            ("./gradlew bootRun", Runtime::Java),
            ("bundle exec rails s", Runtime::Ruby),
            ("dotnet run", Runtime::Dotnet),
            ("go run .", Runtime::Go),
            ("./run.py", Runtime::Python),
            ("./crm-sync --good", Runtime::Unknown),
        ] {
            assert_eq!(of(line), runtime, "{line}");
        }
        assert_eq!(Runtime::of(&["sh".into(), "-c".into(), "exec node x.js".into()]), Runtime::Node);
    }
}
