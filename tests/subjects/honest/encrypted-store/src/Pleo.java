import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Collectors;

/** Pleo as this program uses it: tokens, and calls with them. */
final class Pleo {
    /** The user must log in again. */
    static final class NotLinked extends Exception {
        NotLinked() {
            super("not linked");
        }
    }

    /** It did not work this time; the message says why. */
    static final class Trouble extends Exception {
        Trouble(String why) {
            super(why);
        }
    }

    /** The token endpoint's definite no. */
    static final class Refused extends Exception {
        final String error;

        Refused(String error) {
            super(error);
            this.error = error;
        }
    }

    record Tokens(String access, String refresh, Instant expires) {}

    private static final Logger LOG = Logger.getLogger("directory.pleo");
    private static final Duration MARGIN = Duration.ofSeconds(30);
    private static final Set<Integer> PASSING = Set.of(408, 425, 429);
    private final Map<String, String> env;
    private final Vault vault;
    private final HttpClient http =
        HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(5)).followRedirects(HttpClient.Redirect.NEVER).build();
    /** Held during a refresh, so that there is one at a time. */
    private final ReentrantLock refreshing = new ReentrantLock();
    /** Our client id or secret is wrong: nothing works before a restart with better ones. */
    private volatile boolean clientRefused;

    Pleo(Map<String, String> env, Vault vault) {
        this.env = env;
        this.vault = vault;
    }

    boolean clientRefused() {
        return clientRefused && vault.link().linked();
    }

    String authorizeAddress(String state, String challenge) {
        return env.get("AUTHORIZE_URL") + "?" + form(Map.of("response_type", "code", "client_id", env.get("CLIENT_ID"), "redirect_uri", env.get("REDIRECT_URI"),
            "scope", "users:read", "state", state, "code_challenge", challenge, "code_challenge_method", "S256"));
    }

    void link(String code, String verifier) throws Trouble, Refused {
        Tokens fresh = ask(Map.of("grant_type", "authorization_code", "code", code, "redirect_uri", env.get("REDIRECT_URI"), "code_verifier", verifier));
        if (fresh.refresh == null) throw new Trouble("the answer held no refresh token");
        vault.connect(fresh.access, fresh.refresh, fresh.expires);
    }

    /** The body of a successful answer. A call answered with 401 is repeated once, with another token. */
    String call(String method, String path) throws NotLinked, Trouble {
        String token = token(null);
        HttpResponse<String> answer = send(method, path, token);
        if (answer.statusCode() == 401) {
            LOG.info("Pleo rejected the access token, so a new one is needed.");
            answer = send(method, path, token(token));
        }
        if (answer.statusCode() / 100 != 2) throw new Trouble("Pleo answered " + answer.statusCode() + " to " + method + " " + path);
        return answer.body();
    }

    private HttpResponse<String> send(String method, String path, String token) throws Trouble {
        URI address = URI.create(env.get("API_URL") + path);
        HttpRequest request = HttpRequest.newBuilder(address).timeout(Duration.ofSeconds(15)).header("Authorization", "Bearer " + token)
            .header("Accept", "application/json").method(method, HttpRequest.BodyPublishers.noBody()).build();
        return exchange(request);
    }

    /** A token that has not been rejected. */
    private String token(String rejected) throws NotLinked, Trouble {
        refreshing.lock();
        try {
            Vault.Link link = vault.link();
            if (!link.linked()) throw new NotLinked();
            if (clientRefused) throw new Trouble("Pleo does not accept our client secret");
            boolean over = link.expires() != null && Instant.now().plus(MARGIN).isAfter(link.expires());
            if (!over && !link.access().equals(rejected)) return link.access();
            return refresh(link);
        } finally {
            refreshing.unlock();
        }
    }

    private String refresh(Vault.Link link) throws NotLinked, Trouble {
        LOG.info("Refreshing the tokens.");
        Tokens fresh;
        try {
            fresh = ask(Map.of("grant_type", "refresh_token", "refresh_token", link.refresh()));
        } catch (Trouble trouble) {
            LOG.warning("Could not refresh the tokens this time: " + trouble.getMessage() + ".");
            throw trouble;
        } catch (Refused refused) {
            LOG.severe("Refresh failed: the token endpoint refused with " + refused.error + ".");
            if (refused.error.equals("invalid_client")) {
                clientRefused = true;
                LOG.severe("Pleo no longer accepts our client credentials; an operator has to configure the new secret.");
                throw new Trouble("Pleo does not accept our client secret");
            }
            if (vault.end(link.version(), Vault.State.UNLINKED)) {
                LOG.severe("The authorisation has expired or was revoked; the tokens were discarded.");
                LOG.warning("A user has to reauthenticate with Pleo before the directory is updated again.");
            }
            throw new NotLinked();
        }
        String refresh = fresh.refresh == null ? link.refresh() : fresh.refresh;
        if (!vault.rotate(link.version(), fresh.access, refresh, fresh.expires)) throw new Trouble("the connection was changed during a refresh");
        LOG.info("The tokens were refreshed.");
        return fresh.access;
    }

    private Tokens ask(Map<String, String> fields) throws Trouble, Refused {
        String login = encode(env.get("CLIENT_ID")) + ":" + encode(env.get("CLIENT_SECRET"));
        HttpRequest request = HttpRequest.newBuilder(URI.create(env.get("TOKEN_URL"))).timeout(Duration.ofSeconds(10))
            .header("Authorization", "Basic " + Base64.getEncoder().encodeToString(login.getBytes(StandardCharsets.UTF_8)))
            .header("Content-Type", "application/x-www-form-urlencoded").header("Accept", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(form(fields))).build();
        Instant asked = Instant.now();
        HttpResponse<String> answer = exchange(request);
        Map<String, Object> body = Json.object(answer.body());
        int status = answer.statusCode();
        if (body.get("error") instanceof String error && status < 500 && !PASSING.contains(status)) throw new Refused(error);
        if (status != 200 || !(body.get("access_token") instanceof String access) || access.isEmpty()) throw new Trouble("status " + status + " without tokens");
        String refresh = body.get("refresh_token") instanceof String text && !text.isEmpty() ? text : null;
        Instant expires = body.get("expires_in") instanceof Double seconds && seconds > 0 ? asked.plusMillis((long) (seconds * 1000)) : null;
        return new Tokens(access, refresh, expires);
    }

    private HttpResponse<String> exchange(HttpRequest request) throws Trouble {
        try {
            return http.send(request, HttpResponse.BodyHandlers.ofString());
        } catch (IOException error) {
            LOG.log(Level.FINE, "no answer", error);
            throw new Trouble("no answer from " + request.uri().getPath() + " (" + error.getClass().getSimpleName() + ")");
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
            throw new Trouble("interrupted");
        }
    }

    private static String form(Map<String, String> fields) {
        return fields.entrySet().stream().map(field -> field.getKey() + "=" + encode(field.getValue())).collect(Collectors.joining("&"));
    }

    private static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }
}
