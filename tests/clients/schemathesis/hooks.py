"""What schemathesis does not know of itself: that TOML is text."""

import schemathesis

schemathesis.serializer.alias("application/toml", "text/plain")
