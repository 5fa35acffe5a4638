# queuectl as a container: one executable, a shell for its commands, and an init.
#
#   docker build -t queuectl .
#   docker run -d --name queue -p 127.0.0.1:8000:8000 -v queue:/data --stop-timeout 40 \
#     -v "$PWD/token:/run/secrets/queuectl_token:ro" \
#     -e QUEUECTL_TOKEN_FILE=/run/secrets/queuectl_token queuectl
#
# A container has to listen on all its addresses to be reached, and queuectl does not do that without
# a token: give it QUEUECTL_TOKEN_FILE, readable by the user 10001, as above. Where everything that
# can reach the port may use the queue, say so with QUEUECTL_INSECURE=on. With neither, it says what
# is missing and ends.
#
# Requests that name another host than localhost or an address are refused unless it is listed:
# other containers that call it by the name "queue" need QUEUECTL_ALLOWED_HOSTS=queue here.

FROM node:22-bookworm-slim AS build
WORKDIR /build
COPY deno.json deno.lock ./
COPY src ./src
RUN npx -y deno@2.9.6 task compile --output /build/bin/queuectl

FROM debian:bookworm-slim
# tini is the first process: it passes signals on and buries orphans, which Deno does not do.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates tini \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin queuectl \
  && install --directory --owner=queuectl --group=queuectl --mode=0700 /data
COPY --from=build /build/bin/queuectl /usr/local/bin/queuectl

USER 10001:10001
# Commands run here; so it also is where they may write.
WORKDIR /data
VOLUME /data
ENV QUEUECTL_DB=/data/queue.db \
  QUEUECTL_HOST=0.0.0.0 \
  QUEUECTL_PORT=8000 \
  QUEUECTL_LOG_FORMAT=json
EXPOSE 8000

HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 CMD ["queuectl", "healthcheck"]
# A stop lets running jobs finish for up to QUEUECTL_SHUTDOWN_TIMEOUT (30s); Docker's own patience is
# 10 s unless --stop-timeout (Compose: stop_grace_period) gives it more than that.
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "queuectl"]
CMD ["serve"]
