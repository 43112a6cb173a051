//! The name of a pipeline, which the job token may set.

use gitlab::api::common::NameOrId;
use gitlab::api::endpoint_prelude::{BodyError, Cow, Endpoint, FormParams, Method};

use super::{GitLab, GitLabError};

/// GitLab refuses longer names.
pub const MAX_PIPELINE_NAME_CHARS: usize = 255;

impl GitLab {
    /// Names a pipeline. Doing it again with the same name changes nothing.
    ///
    /// # Errors
    /// The API refuses.
    pub fn name_pipeline(&self, project: &str, pipeline: u64, name: &str) -> Result<(), GitLabError> {
        let action = format!("name pipeline {pipeline}");
        self.tell(&action, Metadata { project: NameOrId::from(project).to_string(), pipeline, name: name.to_owned() })
    }
}

/// `PUT /projects/:id/pipelines/:pipeline_id/metadata`, which the crate lacks.
struct Metadata {
    project: String,
    pipeline: u64,
    name: String,
}

impl Endpoint for Metadata {
    fn method(&self) -> Method {
        Method::PUT
    }

    fn endpoint(&self) -> Cow<'static, str> {
        format!("projects/{}/pipelines/{}/metadata", self.project, self.pipeline).into()
    }

    fn body(&self) -> Result<Option<(&'static str, Vec<u8>)>, BodyError> {
        let mut form = FormParams::default();
        form.push("name", self.name.as_str());
        form.into_body()
    }
}
