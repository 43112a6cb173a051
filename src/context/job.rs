//! The GitLab job that this is: its project, branch and merge request, and the tokens for the API, from variables.

use super::Environment;
use crate::model::Secret;

/// A job of a pipeline.
#[derive(Debug, Clone)]
pub struct Job {
    /// `CI_API_V4_URL`.
    pub api: String,
    /// `CI_PROJECT_ID`.
    pub project: String,
    /// `CI_JOB_NAME`; empty if not set.
    pub name: String,
    /// `CI_JOB_URL`, the page of this job.
    pub url: Option<String>,
    /// `CI_JOB_TOKEN`.
    pub job_token: Option<ApiToken>,
    /// `PLIMSOLL_GITLAB_TOKEN`, for what the job token may not do.
    pub access_token: Option<ApiToken>,
    /// The merge request that the pipeline is for.
    pub merge_request: Option<MergeRequest>,
    /// The branch or tag, `CI_COMMIT_REF_NAME`.
    pub reference: Option<String>,
    /// The same as part of a name, `CI_COMMIT_REF_SLUG`.
    pub reference_slug: Option<String>,
    /// `CI_DEFAULT_BRANCH`.
    pub default_branch: Option<String>,
    /// Whether this is a pipeline of a tag.
    pub is_tag: bool,
    /// Whether this is a pipeline of a schedule.
    pub is_scheduled: bool,
    /// `CI_COMMIT_SHORT_SHA`, else the beginning of `CI_COMMIT_SHA`.
    pub commit: Option<String>,
}

/// A token for the API, with the header that it is sent in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiToken {
    /// The job's own token.
    Job(Secret),
    /// A personal, project or group access token.
    Access(Secret),
}

/// A merge request with a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeRequest {
    /// Id or path of the project that it is in.
    pub project: String,
    /// Its number in the project.
    pub iid: u64,
    /// The branch that it is to be merged into, where the variables say so.
    pub target: Option<String>,
    /// Whether it comes from another project, whose pipeline this is.
    pub is_from_fork: bool,
}

impl Job {
    /// The job of this process; `None` outside a pipeline.
    #[must_use]
    pub fn from_environment(environment: &Environment) -> Option<Self> {
        let text = |name| environment.get(name).map(str::to_owned);
        let secret = |name| environment.get(name).map(Secret::new);
        let sha = environment.get("CI_COMMIT_SHA").and_then(|sha| sha.get(..8)).map(str::to_owned);
        Some(Self {
            api: text("CI_API_V4_URL")?,
            project: text("CI_PROJECT_ID")?,
            name: text("CI_JOB_NAME").unwrap_or_default(),
            url: text("CI_JOB_URL"),
            job_token: secret("CI_JOB_TOKEN").map(ApiToken::Job),
            access_token: secret("PLIMSOLL_GITLAB_TOKEN").map(ApiToken::Access),
            merge_request: MergeRequest::from_environment(environment),
            reference: text("CI_COMMIT_REF_NAME")
                .or_else(|| text("CI_COMMIT_BRANCH"))
                .or_else(|| text("CI_COMMIT_TAG")),
            reference_slug: text("CI_COMMIT_REF_SLUG"),
            default_branch: text("CI_DEFAULT_BRANCH"),
            is_tag: environment.get("CI_COMMIT_TAG").is_some(),
            is_scheduled: environment.get("CI_PIPELINE_SOURCE") == Some("schedule"),
            commit: text("CI_COMMIT_SHORT_SHA").or(sha),
        })
    }

    /// The branch whose last scan an image is compared with: the target of the merge request, else the default branch
    /// (which on that branch itself is the scan before).
    #[must_use]
    pub fn baseline_branch(&self) -> Option<&str> {
        let target = self.merge_request.as_ref().and_then(|merge_request| merge_request.target.as_deref());
        target.or(self.default_branch.as_deref())
    }

    /// Whether this pipeline's scan becomes the baseline of its branch or tag: default branch, tags and schedules only,
    /// so that no merge request can move what it is compared with.
    #[must_use]
    pub fn keeps_baseline(&self) -> bool {
        let on_default = self.reference.is_some() && self.reference == self.default_branch;
        (on_default && !self.is_merge_request_pipeline()) || self.is_tag || self.is_scheduled
    }

    /// Whether the pipeline is one of the merge request, not one of its branch.
    fn is_merge_request_pipeline(&self) -> bool {
        self.merge_request.as_ref().is_some_and(|merge_request| merge_request.target.is_some())
    }
}

impl ApiToken {
    /// The header that it is sent in.
    #[must_use]
    pub fn header(&self) -> &'static str {
        match self {
            Self::Job(_) => "JOB-TOKEN",
            Self::Access(_) => "PRIVATE-TOKEN",
        }
    }

    /// The token itself, for the one place that sends it.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        match self {
            Self::Job(secret) | Self::Access(secret) => secret,
        }
    }

    /// What people call it, with the variable that it comes from.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Job(_) => "the job token (CI_JOB_TOKEN)",
            Self::Access(_) => "the token in PLIMSOLL_GITLAB_TOKEN",
        }
    }
}

impl MergeRequest {
    /// Of a merge-request pipeline, or the first open merge request of a branch pipeline.
    fn from_environment(environment: &Environment) -> Option<Self> {
        if let Some(iid) = environment.get("CI_MERGE_REQUEST_IID").and_then(|iid| iid.parse().ok()) {
            let target = environment.get("CI_MERGE_REQUEST_PROJECT_ID").or_else(|| environment.get("CI_PROJECT_ID"))?;
            let source = environment.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID");
            return Some(Self {
                project: target.to_owned(),
                iid,
                target: environment.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME").map(str::to_owned),
                is_from_fork: source.is_some_and(|source| source != target),
            });
        }
        let first = environment.get("CI_OPEN_MERGE_REQUESTS")?.split(',').next()?;
        let (project, iid) = first.trim().rsplit_once('!')?;
        let own = environment.get("CI_PROJECT_PATH").is_none_or(|path| path == project);
        Some(Self { project: project.to_owned(), iid: iid.parse().ok()?, target: None, is_from_fork: !own })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: [(&str, &str); 4] = [
        ("CI_API_V4_URL", "https://gitlab.example.com/api/v4"),
        ("CI_PROJECT_ID", "7"),
        ("CI_PROJECT_PATH", "grp/proj"),
        ("CI_DEFAULT_BRANCH", "main"),
    ];

    fn job(more: &[(&str, &str)]) -> Job {
        Job::from_environment(&PROJECT.into_iter().chain(more.iter().copied()).collect()).unwrap()
    }

    #[test]
    fn knows_the_merge_request_and_its_target() {
        for (more, expected, baseline) in [
            (vec![("CI_COMMIT_REF_NAME", "main")], None, "main"),
            (
                vec![("CI_MERGE_REQUEST_IID", "5"), ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "release")],
                Some(("7", 5, false)),
                "release",
            ),
            (
                vec![
                    ("CI_MERGE_REQUEST_IID", "5"),
                    ("CI_MERGE_REQUEST_PROJECT_ID", "3"),
                    ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "7"),
                    ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
                ],
                Some(("3", 5, true)),
                "main",
            ),
            (vec![("CI_OPEN_MERGE_REQUESTS", "grp/proj!12,grp/proj!13")], Some(("grp/proj", 12, false)), "main"),
            (vec![("CI_OPEN_MERGE_REQUESTS", "upstream/proj!12")], Some(("upstream/proj", 12, true)), "main"),
            (vec![("CI_OPEN_MERGE_REQUESTS", "nonsense")], None, "main"),
        ] {
            let job = job(&more);
            let found = job.merge_request.as_ref().map(|mr| (mr.project.as_str(), mr.iid, mr.is_from_fork));
            assert_eq!(found, expected, "{more:?}");
            assert_eq!(job.baseline_branch(), Some(baseline), "{more:?}");
        }
        assert!(Job::from_environment(&Environment::default()).is_none());
    }

    #[test]
    fn only_settled_pipelines_keep_a_baseline() {
        for (more, keeps) in [
            (vec![("CI_COMMIT_REF_NAME", "main")], true),
            (vec![("CI_COMMIT_REF_NAME", "feature")], false),
            (vec![("CI_COMMIT_REF_NAME", "v1"), ("CI_COMMIT_TAG", "v1")], true),
            (vec![("CI_COMMIT_REF_NAME", "release"), ("CI_PIPELINE_SOURCE", "schedule")], true),
            (
                vec![
                    // A fork may call its branch like our default branch.
                    ("CI_COMMIT_REF_NAME", "main"),
                    ("CI_MERGE_REQUEST_IID", "5"),
                    ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
                ],
                false,
            ),
        ] {
            assert_eq!(job(&more).keeps_baseline(), keeps, "{more:?}");
        }
    }
}
