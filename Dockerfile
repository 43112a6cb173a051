# The image that pipelines run Plimsoll in: the static binary, a shell for the runner, the authorities to trust, and a
# user without rights. Binaries are built before (`.gitlab-ci.yml`) and lie in dist/plimsoll-linux-<architecture>, so
# one build makes an image for any architecture without emulation.
#
#   --target scanner                  without advisories: give it a database with --db
#   --target scanner-with-database    with the database of database/ as a layer of its own (the default)
#
# The base images are arguments, for mirrors and for builds without a network: see .ci/build-image.
ARG SHELL_IMAGE=busybox:1.37-musl
ARG CERTIFICATES_IMAGE=alpine:3.22

# Runs on the builder's own architecture: it only collects files.
FROM --platform=$BUILDPLATFORM ${CERTIFICATES_IMAGE} AS files
RUN mkdir -p /files/etc/ssl/certs /files/home/gitlab /files/tmp \
 && cp /etc/ssl/certs/ca-certificates.crt /files/etc/ssl/certs/ca-certificates.crt \
 && echo 'root:x:0:0:root:/:/bin/sh' > /files/etc/passwd \
 && echo 'gitlab:x:1000:1000:GitLab:/home/gitlab:/bin/sh' >> /files/etc/passwd \
 && echo 'root:x:0:' > /files/etc/group \
 && echo 'gitlab:x:1000:' >> /files/etc/group \
 && chown 1000:1000 /files/home/gitlab \
 && chmod 1777 /files/tmp

FROM ${SHELL_IMAGE} AS scanner
ARG TARGETARCH
COPY --from=files /files/ /
COPY --chmod=0755 dist/plimsoll-linux-${TARGETARCH} /usr/local/bin/plimsoll
ENV HOME=/home/gitlab SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 1000:1000
WORKDIR /home/gitlab
LABEL org.opencontainers.image.title="Plimsoll" \
      org.opencontainers.image.description="The container scanner that belongs inside a GitLab pipeline" \
      org.opencontainers.image.licenses="Apache-2.0"
# No entry point: GitLab's runner starts a shell in the image.
CMD ["plimsoll", "--help"]

FROM scanner AS scanner-with-database
COPY database/ /usr/share/plimsoll/database/
ENV PLIMSOLL_DB=/usr/share/plimsoll/database
