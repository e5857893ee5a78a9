import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** Everything this program keeps, in one file that is encrypted as a whole and replaced as a whole. */
final class Vault {
    enum State { NEW, LINKED, UNLINKED }

    /** A connection; tokens are there exactly while it is linked. */
    record Link(State state, String access, String refresh, Instant expires, long version) {
        boolean linked() {
            return state == State.LINKED;
        }
    }

    private static final int NONCE = 12;
    private final Path file;
    private final SecretKeySpec key;
    private Link link = new Link(State.NEW, null, null, null, 0);
    private final Map<String, Object> people = new LinkedHashMap<>();
    private final Map<String, Object> settings = new LinkedHashMap<>(Map.of("team", "everybody"));

    Vault(Path folder, String key) throws IOException, GeneralSecurityException {
        this.file = folder.resolve("vault.bin");
        this.key = new SecretKeySpec(Base64.getDecoder().decode(key), "AES");
        byte[] sealed;
        try {
            sealed = Files.readAllBytes(file);
        } catch (NoSuchFileException none) {
            return;
        }
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(Cipher.DECRYPT_MODE, this.key, new GCMParameterSpec(128, sealed, 0, NONCE));
        load(new String(cipher.doFinal(sealed, NONCE, sealed.length - NONCE), StandardCharsets.UTF_8));
    }

    synchronized Link link() {
        return link;
    }

    synchronized List<String> people() {
        List<String> names = new ArrayList<>();
        people.forEach((id, name) -> names.add(name + " <" + id + ">"));
        return names;
    }

    synchronized Map<String, Object> settings() {
        return new LinkedHashMap<>(settings);
    }

    /** The user has connected. */
    synchronized void connect(String access, String refresh, Instant expires) {
        save(new Link(State.LINKED, access, refresh, expires, link.version + 1));
    }

    /** The tokens were refreshed; false if the connection has changed since that version. */
    synchronized boolean rotate(long version, String access, String refresh, Instant expires) {
        if (link.version != version) return false;
        save(new Link(State.LINKED, access, refresh, expires, version + 1));
        return true;
    }

    /** The connection is over; false if it has changed since that version. */
    synchronized boolean end(long version, State state) {
        if (link.version != version) return false;
        save(new Link(state, null, null, null, version + 1));
        return true;
    }

    synchronized void remember(Map<String, String> found) {
        people.putAll(found);
        save(link);
    }

    @SuppressWarnings("unchecked")
    private void load(String text) {
        Map<String, Object> all = Json.object(text);
        Map<String, Object> kept = (Map<String, Object>) all.get("link");
        String expires = (String) kept.get("expires");
        link = new Link(State.valueOf((String) kept.get("state")), (String) kept.get("access"), (String) kept.get("refresh"),
            expires == null ? null : Instant.parse(expires), ((Double) kept.get("version")).longValue());
        people.putAll((Map<String, Object>) all.get("people"));
        settings.putAll((Map<String, Object>) all.get("settings"));
    }

    /** On disk first, then in memory: what this program relies on has been saved. */
    private void save(Link next) {
        Map<String, Object> kept = new LinkedHashMap<>();
        kept.put("state", next.state.name());
        kept.put("access", next.access);
        kept.put("refresh", next.refresh);
        kept.put("expires", next.expires == null ? null : next.expires.toString());
        kept.put("version", next.version);
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("link", kept);
        all.put("people", people);
        all.put("settings", settings);
        try {
            replace(seal(Json.write(all).getBytes(StandardCharsets.UTF_8)));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        link = next;
    }

    private byte[] seal(byte[] plain) {
        byte[] nonce = new byte[NONCE];
        new SecureRandom().nextBytes(nonce);
        try {
            Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
            cipher.init(Cipher.ENCRYPT_MODE, key, new GCMParameterSpec(128, nonce));
            byte[] sealed = cipher.doFinal(plain);
            return ByteBuffer.allocate(NONCE + sealed.length).put(nonce).put(sealed).array();
        } catch (GeneralSecurityException impossible) {
            throw new IllegalStateException("the key was tried at the start", impossible);
        } finally {
            Arrays.fill(plain, (byte) 0);
        }
    }

    private void replace(byte[] content) throws IOException {
        Path fresh = Files.createTempFile(file.getParent(), "vault", ".new", PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        try (FileChannel channel = FileChannel.open(fresh, StandardOpenOption.WRITE)) {
            ByteBuffer rest = ByteBuffer.wrap(content);
            while (rest.hasRemaining()) channel.write(rest);
            channel.force(true);
        }
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
    }
}
