/** The workers, by the process that they belong to. */
import type { Context } from "../context.ts";
import { counted } from "../format.ts";
import { page } from "../layout.tsx";
import { Copyable, Empty } from "../parts.tsx";
import { WorkerTable } from "../worker_table.tsx";

export async function workersPage(context: Context): Promise<Response> {
  const workers = await context.services.queue.workers();
  const processes = new Set(workers.map(({ holder }) => holder)).size;
  const busy = workers.filter(({ jobId }) => jobId !== null).length;
  return await page(
    context,
    { title: "Workers", place: "Workers", live: "" },
    <>
      <h1>Workers</h1>
      {workers.length === 0
        ? (
          <Empty title="No workers are running.">
            <p>Jobs wait until there are some. Start them where the database is:</p>
            <Copyable text="queuectl worker" label="Command that starts workers" />
            <p>
              or in the background: <code>queuectl worker start --count 4 --detach</code>
            </p>
          </Empty>
        )
        : (
          <>
            <p>
              {counted(workers.length, "worker")} in {counted(processes, "process", "processes")},
              {" "}
              {busy} at work. Workers that crash or hang are started anew by themselves.
            </p>
            <WorkerTable workers={workers} context={context} />
            <p class="soft">
              To let processes finish their jobs and stop: <code>queuectl worker stop</code>
            </p>
          </>
        )}
    </>,
  );
}
