/** Every page, in one table. To add a page, add a file and a row. Paths are those after `/ui`. */
import type { Page } from "./context.ts";
import { bulkPost, cancelPost, deletePost, requeuePost } from "./pages/actions.tsx";
import { auditPage } from "./pages/audit.tsx";
import { deadPage, deadPost } from "./pages/dead.tsx";
import { editPage, editPost } from "./pages/edit_job.tsx";
import { helpPage } from "./pages/help.tsx";
import { jobPage } from "./pages/job.tsx";
import { jobsPage } from "./pages/jobs.tsx";
import { newJobPage, newJobPost, uploadPost } from "./pages/new_job.tsx";
import { overviewPage } from "./pages/overview.tsx";
import { limitsPost, pausePost, queuesPage, resumePost } from "./pages/queues.tsx";
import { referencePage } from "./pages/reference.tsx";
import { removeSchedulePost, schedulePost, schedulesPage } from "./pages/schedules.tsx";
import { settingsPage } from "./pages/settings.tsx";
import { drainPost, workersPage } from "./pages/workers.tsx";

export const PAGES: readonly Page[] = [
  { method: "GET", path: "", handler: overviewPage, scope: "read" },
  { method: "GET", path: "/jobs", handler: jobsPage, scope: "read" },
  { method: "GET", path: "/jobs/{id}", handler: jobPage, scope: "read" },
  { method: "POST", path: "/jobs/{id}/requeue", handler: requeuePost, scope: "admin" },
  { method: "POST", path: "/jobs/{id}/cancel", handler: cancelPost, scope: "admin" },
  { method: "POST", path: "/jobs/{id}/delete", handler: deletePost, scope: "admin" },
  { method: "GET", path: "/jobs/{id}/edit", handler: editPage, scope: "admin" },
  { method: "POST", path: "/jobs/{id}/edit", handler: editPost, scope: "admin" },
  { method: "POST", path: "/bulk", handler: bulkPost, scope: "admin" },
  { method: "GET", path: "/dead", handler: deadPage, scope: "read" },
  { method: "POST", path: "/dead", handler: deadPost, scope: "admin" },
  { method: "GET", path: "/queues", handler: queuesPage, scope: "read" },
  { method: "POST", path: "/queues/{name}/pause", handler: pausePost, scope: "admin" },
  { method: "POST", path: "/queues/{name}/resume", handler: resumePost, scope: "admin" },
  { method: "POST", path: "/queues/{name}/limits", handler: limitsPost, scope: "admin" },
  { method: "GET", path: "/schedules", handler: schedulesPage, scope: "read" },
  { method: "POST", path: "/schedules/{name}/run", handler: schedulePost("run"), scope: "admin" },
  {
    method: "POST",
    path: "/schedules/{name}/pause",
    handler: schedulePost("pause"),
    scope: "admin",
  },
  {
    method: "POST",
    path: "/schedules/{name}/resume",
    handler: schedulePost("resume"),
    scope: "admin",
  },
  { method: "POST", path: "/schedules/{name}/remove", handler: removeSchedulePost, scope: "admin" },
  { method: "GET", path: "/workers", handler: workersPage, scope: "read" },
  { method: "POST", path: "/workers/{process}/drain", handler: drainPost, scope: "admin" },
  { method: "GET", path: "/settings", handler: settingsPage, scope: "admin" },
  { method: "GET", path: "/audit", handler: auditPage, scope: "admin" },
  { method: "GET", path: "/new", handler: newJobPage, scope: "submit" },
  { method: "POST", path: "/new", handler: newJobPost, scope: "submit" },
  { method: "POST", path: "/new/upload", handler: uploadPost, scope: "submit" },
  { method: "GET", path: "/help", handler: helpPage, scope: "read" },
  { method: "GET", path: "/docs", handler: referencePage, scope: "read" },
];
