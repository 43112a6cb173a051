# The image that pipelines run Plimsoll in: the static binary, a shell for the runner, the authorities to trust, and a
# user without rights. Binaries are built before (`.gitlab-ci.yml`) and lie in dist/plimsoll-linux-<architecture>.
# Nothing is run while it is built, so any architecture can be built on any other without emulation.
#
#   --target scanner                  without advisories: give it a database with --db
#   --target scanner-with-database    with the database of database/ as a layer of its own (the default)
#
# The allocator takes memory as it is needed (MIMALLOC_…): its own default touches some 25 MiB more at the start.
#
# The base images are arguments, for mirrors and for builds without a network: see .ci/build-image.
ARG SHELL_IMAGE=busybox:1.37-musl
ARG CERTIFICATES_IMAGE=alpine:3.22

FROM ${CERTIFICATES_IMAGE} AS certificates

FROM ${SHELL_IMAGE} AS scanner
ARG TARGETARCH
COPY --from=certificates /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY .ci/image/ /
COPY --chmod=0755 dist/plimsoll-linux-${TARGETARCH} /usr/local/bin/plimsoll
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/tmp \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    MIMALLOC_ARENA_EAGER_COMMIT=0
USER 1000:1000
WORKDIR /tmp
LABEL org.opencontainers.image.title="Plimsoll" \
      org.opencontainers.image.description="The container scanner that belongs inside a GitLab pipeline" \
      org.opencontainers.image.licenses="Apache-2.0"
# No entry point: GitLab's runner starts a shell in the image.
CMD ["plimsoll", "--help"]

FROM scanner AS scanner-with-database
COPY database/ /usr/share/plimsoll/database/
ENV PLIMSOLL_DB=/usr/share/plimsoll/database
