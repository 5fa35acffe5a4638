/** Every path that the API answers, in one table. To add an endpoint, add a handler and a row. */
import type { Route } from "./context.ts";
import { getArtifact, getArtifacts, getInput } from "./routes/artifacts.ts";
import { getAudit } from "./routes/audit.ts";
import { cancelJob, deleteJob, getJob, getStatus, requeueJob } from "./routes/job.ts";
import { postBulk } from "./routes/bulk.ts";
import { getEvents } from "./routes/events.ts";
import { getHealth, getReady } from "./routes/health.ts";
import { listJobs } from "./routes/list.ts";
import { getMetrics } from "./routes/metrics.ts";
import { getOpenApi } from "./routes/openapi.ts";
import { getOutput } from "./routes/output.ts";
import { postPrune } from "./routes/prune.ts";
import { getResult } from "./routes/result.ts";
import {
  deleteSchedule,
  getSchedule,
  getSchedules,
  pauseSchedule,
  postSchedule,
  resumeSchedule,
  runSchedule,
} from "./routes/schedules.ts";
import {
  getQueue,
  getQueues,
  patchQueue,
  pauseQueueRoute,
  resumeQueueRoute,
} from "./routes/queues.ts";
import { drainWorkers, getStats, getWorkers } from "./routes/stats.ts";
import { postBatch, postJob } from "./routes/submit.ts";
import { getWebhook, getWebhooks, replayWebhook } from "./routes/webhooks.ts";

export const ROUTES: readonly Route[] = [
  { method: "POST", path: "/jobs", handler: postJob, scope: "submit" },
  { method: "POST", path: "/jobs/batch", handler: postBatch, scope: "submit" },
  { method: "POST", path: "/jobs/bulk", handler: postBulk, scope: "admin" },
  { method: "GET", path: "/jobs", handler: listJobs, scope: "read" },
  { method: "GET", path: "/jobs/{id}", handler: getJob, scope: "read" },
  { method: "GET", path: "/jobs/{id}/status", handler: getStatus, scope: "read" },
  { method: "GET", path: "/jobs/{id}/result", handler: getResult, scope: "read" },
  { method: "GET", path: "/jobs/{id}/output", handler: getOutput, scope: "read" },
  { method: "GET", path: "/jobs/{id}/input", handler: getInput, scope: "read" },
  { method: "GET", path: "/jobs/{id}/artifacts", handler: getArtifacts, scope: "read" },
  { method: "GET", path: "/jobs/{id}/artifacts/{name}", handler: getArtifact, scope: "read" },
  { method: "POST", path: "/jobs/{id}/cancel", handler: cancelJob, scope: "admin" },
  { method: "POST", path: "/jobs/{id}/requeue", handler: requeueJob, scope: "admin" },
  { method: "DELETE", path: "/jobs/{id}", handler: deleteJob, scope: "admin" },
  { method: "GET", path: "/stats", handler: getStats, scope: "read" },
  { method: "GET", path: "/queues", handler: getQueues, scope: "read" },
  { method: "GET", path: "/queues/{name}", handler: getQueue, scope: "read" },
  { method: "PATCH", path: "/queues/{name}", handler: patchQueue, scope: "admin" },
  { method: "POST", path: "/queues/{name}/pause", handler: pauseQueueRoute, scope: "admin" },
  { method: "POST", path: "/queues/{name}/resume", handler: resumeQueueRoute, scope: "admin" },
  { method: "GET", path: "/workers", handler: getWorkers, scope: "read" },
  { method: "POST", path: "/workers/{process}/drain", handler: drainWorkers, scope: "admin" },
  { method: "GET", path: "/schedules", handler: getSchedules, scope: "read" },
  { method: "POST", path: "/schedules", handler: postSchedule, scope: "admin" },
  { method: "GET", path: "/schedules/{name}", handler: getSchedule, scope: "read" },
  { method: "DELETE", path: "/schedules/{name}", handler: deleteSchedule, scope: "admin" },
  { method: "POST", path: "/schedules/{name}/pause", handler: pauseSchedule, scope: "admin" },
  { method: "POST", path: "/schedules/{name}/resume", handler: resumeSchedule, scope: "admin" },
  { method: "POST", path: "/schedules/{name}/run", handler: runSchedule, scope: "admin" },
  { method: "GET", path: "/metrics", handler: getMetrics, scope: "read" },
  { method: "GET", path: "/events", handler: getEvents, scope: "read" },
  { method: "GET", path: "/webhooks", handler: getWebhooks, scope: "read" },
  { method: "GET", path: "/webhooks/{id}", handler: getWebhook, scope: "read" },
  { method: "POST", path: "/webhooks/{id}/replay", handler: replayWebhook, scope: "admin" },
  { method: "POST", path: "/prune", handler: postPrune, scope: "admin" },
  { method: "GET", path: "/audit", handler: getAudit, scope: "admin" },
  { method: "GET", path: "/healthz", handler: getHealth, scope: "open" },
  { method: "GET", path: "/readyz", handler: getReady, scope: "open" },
  { method: "GET", path: "/openapi.json", handler: getOpenApi, scope: "read" },
];
