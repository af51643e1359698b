//! Tests of the documents: what they say, and what they must not.
