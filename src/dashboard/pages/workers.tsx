/** The workers, by the process that they belong to; a process can be asked to finish and end. */
import type { WorkerStatus } from "../../store/store.ts";
import { redirect } from "../answer.ts";
import { mustApi } from "../api_answer.ts";
import type { Context } from "../context.ts";
import { flash } from "../flash.ts";
import { counted, encodeSegment, link } from "../format.ts";
import { page } from "../layout.tsx";
import { Copyable, Data, Empty, PostButton } from "../parts.tsx";
import { WorkerTable } from "../worker_table.tsx";

export async function workersPage(context: Context): Promise<Response> {
  const workers = await context.services.queue.workers();
  const processes = Map.groupBy(workers, ({ holder }) => holder);
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
              {counted(workers.length, "worker")} in{" "}
              {counted(processes.size, "process", "processes")}, {busy}{" "}
              at work. Workers that crash or hang are started anew by themselves.
            </p>
            {[...processes].map(([holder, ofProcess]) => (
              <Process holder={holder} workers={ofProcess} context={context} />
            ))}
          </>
        )}
    </>,
  );
}

function Process(
  { holder, workers, context }: {
    holder: string;
    workers: readonly WorkerStatus[];
    context: Context;
  },
) {
  const { pid, role, host } = workers[0]!;
  const isDraining = workers.every(({ status }) => status === "draining");
  const machine = host.split("/")[0];
  return (
    <section class="panel" data-row={holder}>
      <div class="panel-head">
        <h2>
          Process {pid}{" "}
          <span class="soft">
            {role === "serve" ? "with the API" : "of workers alone"}
            {machine && (
              <>
                {" "}on <Data>{machine}</Data>
              </>
            )}
          </span>
        </h2>
        {role === "worker" && !isDraining && context.caller.may("admin") && (
          <PostButton
            action={link(["workers", holder, "drain"])}
            label="Drain"
            title="it takes no more jobs, finishes those it has, and ends"
          />
        )}
        {isDraining && <span class="chip s-failed">draining</span>}
      </div>
      <WorkerTable workers={workers} context={context} />
    </section>
  );
}

export async function drainPost({ call, params }: Context): Promise<Response> {
  const path = `/workers/${encodeSegment(params["process"]!)}/drain`;
  await mustApi(call, { method: "POST", path });
  return redirect(link(["workers"], flash("draining")));
}
