//! The name of the pipeline: seen in every list of pipelines, and allowed to the job token.

use super::Delivery;
use crate::gitlab::{GitLab, GitLabError, MAX_PIPELINE_NAME_CHARS};
use crate::model::AlertReport;
use crate::report::alert;

/// Names the pipeline after the news. Trying again sets the same name.
///
/// # Errors
/// The API refuses.
pub fn tell(gitlab: &GitLab, project: &str, pipeline: u64, report: &AlertReport) -> Result<Delivery, GitLabError> {
    let name = alert::pipeline_name(report, &report.alerts, MAX_PIPELINE_NAME_CHARS);
    gitlab.name_pipeline(project, pipeline, &name)?;
    Ok(if report.alerts.is_empty() { Delivery::Nothing } else { Delivery::Told(report.alerts.len()) })
}
