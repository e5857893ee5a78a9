import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** As much JSON as this program needs: maps, lists, strings, doubles, booleans, null. The JDK has none. */
final class Json {
    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** @throws IllegalArgumentException if it is no JSON */
    static Object read(String text) {
        Json reader = new Json(text);
        try {
            Object value = reader.value(0);
            reader.space();
            if (reader.at != text.length()) throw reader.wrong();
            return value;
        } catch (StringIndexOutOfBoundsException end) {
            throw reader.wrong();
        }
    }

    /** The object in this text, empty if there is none. */
    @SuppressWarnings("unchecked")
    static Map<String, Object> object(String text) {
        try {
            return read(text) instanceof Map<?, ?> map ? (Map<String, Object>) map : Map.of();
        } catch (IllegalArgumentException notJson) {
            return Map.of();
        }
    }

    static String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out);
        return out.toString();
    }

    private static void write(Object value, StringBuilder out) {
        if (value instanceof Map<?, ?> map) {
            out.append('{');
            for (Iterator<? extends Map.Entry<?, ?>> entries = map.entrySet().iterator(); entries.hasNext(); ) {
                Map.Entry<?, ?> entry = entries.next();
                write(entry.getKey().toString(), out);
                out.append(':');
                write(entry.getValue(), out);
                if (entries.hasNext()) out.append(',');
            }
            out.append('}');
        } else if (value instanceof Iterable<?> list) {
            out.append('[');
            for (Iterator<?> items = list.iterator(); items.hasNext(); ) {
                write(items.next(), out);
                if (items.hasNext()) out.append(',');
            }
            out.append(']');
        } else if (value instanceof String string) {
            out.append('"');
            for (char c : string.toCharArray()) {
                if (c == '"' || c == '\\') out.append('\\').append(c);
                else if (c < ' ') out.append(String.format("\\u%04x", (int) c));
                else out.append(c);
            }
            out.append('"');
        } else {
            out.append(value);
        }
    }

    private Object value(int depth) {
        if (depth > 64) throw wrong();
        space();
        char c = text.charAt(at);
        if (c == '{') return map(depth);
        if (c == '[') return list(depth);
        if (c == '"') return string();
        if (take("true")) return true;
        if (take("false")) return false;
        if (take("null")) return null;
        int begin = at;
        while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) at++;
        return Double.valueOf(text.substring(begin, at));
    }

    private Map<String, Object> map(int depth) {
        Map<String, Object> map = new LinkedHashMap<>();
        at++;
        space();
        if (take("}")) return map;
        do {
            space();
            String name = string();
            space();
            if (!take(":")) throw wrong();
            map.put(name, value(depth + 1));
            space();
        } while (take(","));
        if (!take("}")) throw wrong();
        return map;
    }

    private List<Object> list(int depth) {
        List<Object> list = new ArrayList<>();
        at++;
        space();
        if (take("]")) return list;
        do {
            list.add(value(depth + 1));
            space();
        } while (take(","));
        if (!take("]")) throw wrong();
        return list;
    }

    private String string() {
        if (!take("\"")) throw wrong();
        StringBuilder out = new StringBuilder();
        for (char c = text.charAt(at++); c != '"'; c = text.charAt(at++)) {
            if (c != '\\') {
                out.append(c);
                continue;
            }
            char escaped = text.charAt(at++);
            switch (escaped) {
                case 'b' -> out.append('\b');
                case 'f' -> out.append('\f');
                case 'n' -> out.append('\n');
                case 'r' -> out.append('\r');
                case 't' -> out.append('\t');
                case 'u' -> {
                    out.append((char) Integer.parseInt(text.substring(at, at + 4), 16));
                    at += 4;
                }
                default -> out.append(escaped);
            }
        }
        return out.toString();
    }

    private boolean take(String word) {
        boolean there = text.startsWith(word, at);
        if (there) at += word.length();
        return there;
    }

    private void space() {
        while (at < text.length() && Character.isWhitespace(text.charAt(at))) at++;
    }

    private IllegalArgumentException wrong() {
        return new IllegalArgumentException("no JSON at " + at);
    }
}
