//! OAuth and API endpoints.
