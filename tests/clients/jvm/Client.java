// Connects, refreshes twice and is refused, with the library named by the argument.

import com.github.scribejava.core.builder.ServiceBuilder;
import com.github.scribejava.core.builder.api.DefaultApi20;
import com.github.scribejava.core.httpclient.jdk.JDKHttpClientConfig;
import com.github.scribejava.core.model.OAuth2AccessTokenErrorResponse;
import com.github.scribejava.core.oauth.AccessTokenRequestParams;
import com.nimbusds.oauth2.sdk.*;
import com.nimbusds.oauth2.sdk.auth.ClientSecretBasic;
import com.nimbusds.oauth2.sdk.auth.Secret;
import com.nimbusds.oauth2.sdk.http.HTTPRequest;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.id.State;
import com.nimbusds.oauth2.sdk.pkce.CodeChallengeMethod;
import com.nimbusds.oauth2.sdk.pkce.CodeVerifier;
import com.nimbusds.oauth2.sdk.token.RefreshToken;
import com.nimbusds.oauth2.sdk.token.Tokens;
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.HttpURLConnection;
import java.net.URI;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public final class Client {
    private static final URI AUTHORIZE = URI.create(System.getenv("AUTHORIZE_URL"));
    private static final URI TOKEN = URI.create(System.getenv("TOKEN_URL"));
    private static final URI CALLBACK = URI.create(System.getenv("REDIRECT_URI"));
    private static final String ID = System.getenv("CLIENT_ID");
    private static final String SECRET = System.getenv("CLIENT_SECRET");
    private static final String SCOPES = System.getenv("SCOPES");

    public static void main(String[] arguments) throws Exception {
        trust(System.getenv("CA_FILE"));
        switch (arguments[0]) {
            case "nimbus" -> nimbus();
            case "scribejava" -> scribejava();
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    private static void nimbus() throws Exception {
        var state = new State();
        var verifier = new CodeVerifier();
        var asked = new AuthorizationRequest.Builder(ResponseType.CODE, new ClientID(ID))
                .endpointURI(AUTHORIZE).redirectionURI(CALLBACK).scope(Scope.parse(SCOPES)).state(state)
                .codeChallenge(verifier, CodeChallengeMethod.S256).build();
        var back = AuthorizationResponse.parse(consent(asked.toURI()));
        if (!back.indicatesSuccess() || !state.equals(back.getState())) throw new IllegalStateException("no code for our state");
        var code = back.toSuccessResponse().getAuthorizationCode();
        Tokens pair = nimbus(new AuthorizationCodeGrant(code, CALLBACK, verifier)).toSuccessResponse().getTokens();
        var calls = new ArrayList<>(List.of(call(pair.getAccessToken().getValue())));
        for (int turn = 0; turn < 2; turn++) {
            pair = nimbus(new RefreshTokenGrant(pair.getRefreshToken())).toSuccessResponse().getTokens();
            calls.add(call(pair.getAccessToken().getValue()));
        }
        untilRevoked();
        var refused = nimbus(new RefreshTokenGrant(new RefreshToken(pair.getRefreshToken().getValue()))).toErrorResponse();
        tell(calls, refused.getErrorObject().getCode(), refused.getClass().getSimpleName());
    }

    private static TokenResponse nimbus(AuthorizationGrant grant) throws Exception {
        var request = new TokenRequest.Builder(TOKEN, new ClientSecretBasic(new ClientID(ID), new Secret(SECRET)), grant).build();
        return TokenResponse.parse(request.toHTTPRequest().send());
    }

    private static void scribejava() throws Exception {
        var api = new DefaultApi20() {
            @Override
            public String getAccessTokenEndpoint() {
                return TOKEN.toString();
            }

            @Override
            protected String getAuthorizationBaseUrl() {
                return AUTHORIZE.toString();
            }
        };
        var service = new ServiceBuilder(ID).apiSecret(SECRET).defaultScope(SCOPES).callback(CALLBACK.toString())
                .httpClientConfig(JDKHttpClientConfig.defaultConfig()).build(api);
        var asked = service.createAuthorizationUrlBuilder().initPKCE().state("state-of-scribejava");
        var back = service.extractAuthorization(consent(URI.create(asked.build())).toString());
        if (!"state-of-scribejava".equals(back.getState())) throw new IllegalStateException("another state came back");
        var exchange = AccessTokenRequestParams.create(back.getCode()).pkceCodeVerifier(asked.getPkce().getCodeVerifier());
        var pair = service.getAccessToken(exchange);
        var calls = new ArrayList<>(List.of(call(pair.getAccessToken())));
        for (int turn = 0; turn < 2; turn++) {
            pair = service.refreshAccessToken(pair.getRefreshToken());
            calls.add(call(pair.getAccessToken()));
        }
        untilRevoked();
        try {
            service.refreshAccessToken(pair.getRefreshToken());
            tell(calls, null, "nothing was refused");
        } catch (OAuth2AccessTokenErrorResponse refused) {
            tell(calls, refused.getError().getErrorString(), refused.getClass().getSimpleName());
        }
    }

    /** What the user's browser is sent back with. */
    private static URI consent(URI url) throws Exception {
        var connection = (HttpURLConnection) url.toURL().openConnection();
        connection.setInstanceFollowRedirects(false);
        if (connection.getResponseCode() != 302) throw new IllegalStateException("status " + connection.getResponseCode());
        return URI.create(connection.getHeaderField("Location"));
    }

    private static int call(String token) throws Exception {
        var connection = (HttpURLConnection) URI.create(System.getenv("API_URL") + "/v2/employees").toURL().openConnection();
        connection.setRequestProperty("Authorization", "Bearer " + token);
        return connection.getResponseCode();
    }

    private static void untilRevoked() throws Exception {
        System.out.println("{\"waits\": \"revocation\"}");
        new BufferedReader(new InputStreamReader(System.in)).readLine();
    }

    private static void tell(List<Integer> calls, String error, String type) {
        var code = error == null ? "null" : "\"" + error + "\"";
        System.out.printf("{\"calls\": %s, \"error\": %s, \"surfaced_as\": \"%s\"}%n", calls, code, type);
    }

    /** Trusts the certificates in a PEM file, for every connection of this program. */
    private static void trust(String file) throws Exception {
        var store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (InputStream pem = new FileInputStream(file)) {
            store.setCertificateEntry("run", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        }
        var trusted = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trusted.init(store);
        var context = SSLContext.getInstance("TLS");
        context.init(null, trusted.getTrustManagers(), null);
        HttpsURLConnection.setDefaultSSLSocketFactory(context.getSocketFactory());
        HTTPRequest.setDefaultSSLSocketFactory(context.getSocketFactory());
    }
}
