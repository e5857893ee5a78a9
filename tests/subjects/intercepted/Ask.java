import java.net.HttpURLConnection;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** Prints the status of a GET to each address given, asked with both of Java's clients. */
public class Ask {
    public static void main(String[] addresses) throws Exception {
        HttpClient client = HttpClient.newBuilder().proxy(ProxySelector.getDefault()).build();
        for (String address : addresses) {
            int old = ((HttpURLConnection) URI.create(address).toURL().openConnection()).getResponseCode();
            int status = client.send(HttpRequest.newBuilder(URI.create(address)).build(), HttpResponse.BodyHandlers.discarding()).statusCode();
            if (old != status) throw new IllegalStateException(old + " and " + status);
            System.out.println(status);
        }
    }
}
