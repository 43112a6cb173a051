//! Credentials of a job: Docker's configuration as it stands in a variable.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::context::{Credentials, Environment};
use plimsoll::model::ImageReference;

fuzz_target!(|text: &str| {
    let image: ImageReference = "registry.example.com/group/app:1".parse().expect("a reference");
    let environment: Environment = [("DOCKER_AUTH_CONFIG".to_owned(), text.to_owned())].into_iter().collect();
    if let Ok(credentials) = Credentials::from_environment(&environment, std::slice::from_ref(&image)) {
        let _ = credentials.resolve(&image);
    }
});
