use super::*;

async fn checks() {}
