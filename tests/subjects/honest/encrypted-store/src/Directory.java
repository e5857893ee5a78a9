import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.logging.Level;
import java.util.logging.Logger;

/** A staff directory that is copied from Pleo when somebody asks for it. */
final class Directory {
    private record Login(String verifier, String cookie, Instant begun) {}

    private static final Logger LOG = Logger.getLogger("directory");
    private static final Duration LOGIN_LIFE = Duration.ofMinutes(10);
    private static final SecureRandom RANDOM = new SecureRandom();
    private final Map<String, Login> logins = new ConcurrentHashMap<>();
    private final Vault vault;
    private final Pleo pleo;

    private Directory(Vault vault, Pleo pleo) {
        this.vault = vault;
        this.pleo = pleo;
    }

    public static void main(String[] words) throws IOException, GeneralSecurityException {
        System.setProperty("java.util.logging.SimpleFormatter.format", "%1$tF %1$tT %4$s %5$s%n");
        Map<String, String> env = System.getenv();
        Vault vault = new Vault(Path.of(env.get("DATA_DIR")), env.get("VAULT_KEY"));
        Directory directory = new Directory(vault, new Pleo(env, vault));
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(env.get("PORT")));
        HttpServer server = HttpServer.create(address, 0);
        server.setExecutor(Executors.newFixedThreadPool(16));
        server.createContext("/", directory::handle);
        server.start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> server.stop(1)));
        LOG.info("Ready on port " + address.getPort() + ".");
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            route(exchange);
        } catch (RuntimeException error) {
            LOG.log(Level.SEVERE, "A request ended with " + error.getClass().getName() + ".");
            throw error;
        }
    }

    private void route(HttpExchange exchange) throws IOException {
        URI address = exchange.getRequestURI();
        switch (exchange.getRequestMethod() + " " + address.getPath()) {
            case "GET /" -> page(exchange, 200, home());
            case "GET /people" -> json(exchange, 200, vault.people());
            case "GET /settings" -> json(exchange, 200, vault.settings());
            case "GET /state" -> json(exchange, 200, Map.of("link", word()));
            case "POST /people/update" -> update(exchange);
            case "GET /link" -> login(exchange);
            case "GET /link/return" -> finish(exchange, query(address.getRawQuery()));
            case "POST /unlink" -> unlink(exchange);
            default -> page(exchange, 404, "<p>There is no such page.</p>");
        }
    }

    private String word() {
        if (pleo.clientRefused()) return "fault";
        return switch (vault.link().state()) {
            case NEW -> "never linked";
            case LINKED -> "linked";
            case UNLINKED -> "unlinked";
        };
    }

    private String home() {
        return switch (word()) {
            case "linked" -> "<p>The directory is up to date with Pleo.</p>";
            case "fault" -> "<p>The directory cannot be updated at present. We are working on it.</p>";
            case "unlinked" -> "<p><strong>Pleo has withdrawn our access.</strong> You still see everybody we know of, but to get updates please sign in to"
                + " Pleo once more.</p><p><a href=\"/link\">Sign in to Pleo</a></p>";
            default -> "<p>Welcome! <a href=\"/link\">Link Pleo</a> to fill the directory.</p>";
        };
    }

    private void update(HttpExchange exchange) throws IOException {
        try {
            int count = fetch();
            LOG.info("Fetched " + count + " people.");
            json(exchange, 200, Map.of("people", count));
        } catch (Pleo.NotLinked none) {
            json(exchange, 401, Map.of("problem", "Please link Pleo first.", "link", "/link"));
        } catch (Pleo.Trouble trouble) {
            LOG.warning("The directory was not updated: " + trouble.getMessage() + ".");
            exchange.getResponseHeaders().set("Retry-After", "30");
            json(exchange, 503, Map.of("problem", "Pleo is not available at the moment."));
        }
    }

    private int fetch() throws Pleo.NotLinked, Pleo.Trouble {
        Map<String, String> found = new LinkedHashMap<>();
        for (String cursor = ""; cursor != null; ) {
            String path = "/v2/employees?limit=50" + (cursor.isEmpty() ? "" : "&after=" + URLEncoder.encode(cursor, StandardCharsets.UTF_8));
            Map<String, Object> answer = Json.object(pleo.call("GET", path));
            if (!(answer.get("data") instanceof List<?> data)) throw new Pleo.Trouble("Pleo's list could not be read");
            for (Object entry : data) {
                if (entry instanceof Map<?, ?> one) found.put(String.valueOf(one.get("id")), one.get("firstName") + " " + one.get("lastName"));
            }
            boolean more = answer.get("pagination") instanceof Map<?, ?> page && Boolean.TRUE.equals(page.get("hasNextPage"));
            String next = more ? (String) ((Map<?, ?>) answer.get("pagination")).get("endCursor") : null;
            cursor = cursor.equals(next) ? null : next;
        }
        vault.remember(found);
        return found.size();
    }

    private void login(HttpExchange exchange) throws IOException {
        logins.values().removeIf(old -> old.begun.plus(LOGIN_LIFE).isBefore(Instant.now()));
        String state = random();
        Login login = new Login(random(), random(), Instant.now());
        logins.put(state, login);
        LOG.info("Somebody began to link Pleo.");
        exchange.getResponseHeaders().add("Set-Cookie", "link=" + login.cookie + "; Path=/link; HttpOnly; SameSite=Lax; Max-Age=600");
        redirect(exchange, pleo.authorizeAddress(state, challenge(login.verifier)));
    }

    private void finish(HttpExchange exchange, Map<String, String> query) throws IOException {
        Login login = logins.get(query.getOrDefault("state", ""));
        String cookies = String.join("; ", exchange.getRequestHeaders().getOrDefault("Cookie", List.of()));
        boolean same = login != null && List.of(cookies.split("; *")).contains("link=" + login.cookie);
        if (!same || !logins.remove(query.get("state"), login) || login.begun.plus(LOGIN_LIFE).isBefore(Instant.now())) {
            LOG.warning("A return from Pleo that nobody here was waiting for was turned away.");
            page(exchange, 400, "<p>This is not a login that was begun in this browser. Please start over.</p>");
            return;
        }
        if (!query.containsKey("code")) {
            LOG.info("A login was not completed at Pleo.");
            page(exchange, 200, "<p>Pleo was not linked. <a href=\"/link\">Try again</a></p>");
            return;
        }
        try {
            pleo.link(query.get("code"), login.verifier);
        } catch (Pleo.Trouble | Pleo.Refused problem) {
            LOG.severe("A login could not be completed: " + problem.getMessage() + ".");
            page(exchange, 502, "<p>Pleo could not be linked. <a href=\"/link\">Try again</a></p>");
            return;
        }
        LOG.info("Pleo is linked.");
        redirect(exchange, "/");
    }

    private void unlink(HttpExchange exchange) throws IOException {
        try {
            if (vault.link().linked()) pleo.call("DELETE", "/v1/installations/me");
        } catch (Pleo.NotLinked | Pleo.Trouble problem) {
            LOG.warning("Pleo could not be told that it was unlinked: " + problem.getMessage() + ".");
        }
        vault.end(vault.link().version(), Vault.State.NEW);
        LOG.info("Pleo was unlinked by a user.");
        json(exchange, 200, Map.of("link", word()));
    }

    private static Map<String, String> query(String raw) {
        Map<String, String> fields = new LinkedHashMap<>();
        for (String field : raw == null ? new String[0] : raw.split("&")) {
            String[] parts = field.split("=", 2);
            fields.put(URLDecoder.decode(parts[0], StandardCharsets.UTF_8), parts.length == 2 ? URLDecoder.decode(parts[1], StandardCharsets.UTF_8) : "");
        }
        return fields;
    }

    private static String random() {
        byte[] raw = new byte[32];
        RANDOM.nextBytes(raw);
        return Base64.getUrlEncoder().withoutPadding().encodeToString(raw);
    }

    private static String challenge(String verifier) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(verifier.getBytes(StandardCharsets.US_ASCII));
            return Base64.getUrlEncoder().withoutPadding().encodeToString(hash);
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    private static void redirect(HttpExchange exchange, String address) throws IOException {
        exchange.getResponseHeaders().set("Location", address);
        exchange.sendResponseHeaders(302, -1);
    }

    private static void page(HttpExchange exchange, int status, String content) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", "text/html; charset=utf-8");
        send(exchange, status, "<!doctype html><html lang=\"en\"><title>Directory</title><h1>Directory</h1>" + content + "</html>");
    }

    private static void json(HttpExchange exchange, int status, Object body) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        send(exchange, status, Json.write(body));
    }

    private static void send(HttpExchange exchange, int status, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
    }
}
