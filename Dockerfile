# SPDX-License-Identifier: PostgreSQL
# The service as an image: uploaderd in the foreground, as uid 10001, on a file system that may be read
# only. Mount a configuration over /etc/uploader/uploader.conf, and the folders of its files; docs/
# operations.md says how, compose.yaml is an example.

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY scripts/packages scripts/packages
RUN apt-get update && apt-get install -y --no-install-recommends make && scripts/packages build
COPY . .
RUN make programs && make install DESTDIR=/out prefix=/usr

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="uploader" \
      org.opencontainers.image.description="Uploads CSV files into PostgreSQL, and can be interrupted" \
      org.opencontainers.image.licenses="PostgreSQL" \
      org.opencontainers.image.documentation="/usr/share/doc/uploader/README.md"
RUN apt-get update \
    && apt-get install -y --no-install-recommends libuv1 libpq5 libcsv3 libinih1 libjansson4 \
       libxxhash0 libsystemd0 libsmartcols1 ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 uploader \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
       --shell /usr/sbin/nologin uploader \
    && install -d -o 10001 -g 10001 /run/uploader /srv/spool
COPY --from=build /out/ /
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["/usr/bin/uploadctl", "ping"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/sbin/uploaderd"]
CMD ["--config", "/etc/uploader/uploader.conf"]
