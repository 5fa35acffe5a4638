/** Who changed what, newest first. */
import type { Context } from "../context.ts";
import { link } from "../format.ts";
import { page } from "../layout.tsx";
import { Data, Empty, Time } from "../parts.tsx";

const PAGE_ENTRIES = 100;

export async function auditPage(context: Context): Promise<Response> {
  const { services: { queue }, query, nowMs } = context;
  const before = query.get("before") ?? "";
  const beforeSeq = /^[1-9]\d{0,14}$/.test(before) ? Number(before) : undefined;
  const entries = await queue.audit({ limit: PAGE_ENTRIES, beforeSeq });
  return await page(
    context,
    { title: "Audit", place: "Audit", live: beforeSeq === undefined ? "" : undefined },
    <>
      <h1>Audit log</h1>
      {entries.length === 0
        ? (
          <Empty title="Nothing here yet.">
            <p>Whoever cancels, runs again, deletes, pauses or changes settings stands here.</p>
          </Empty>
        )
        : (
          <div class="scroll" tabindex={0} role="region" aria-label="Table of changes">
            <table class="cards">
              <thead>
                <tr>
                  <th scope="col">When</th>
                  <th scope="col">Who</th>
                  <th scope="col">Did</th>
                  <th scope="col">To</th>
                  <th scope="col">Outcome</th>
                  <th scope="col">Detail</th>
                </tr>
              </thead>
              <tbody>
                {entries.map(({ seq, atMs, by, action, target, outcome, detail }) => (
                  <tr data-row={String(seq)}>
                    <td data-label="When">
                      <Time at={atMs} now={nowMs} />
                    </td>
                    <td data-label="Who">
                      <Data>{by}</Data>
                    </td>
                    <td data-label="Did">{action}</td>
                    <td data-label="To">
                      <Target action={action} target={target} />
                    </td>
                    <td data-label="Outcome">{outcome}</td>
                    <td data-label="Detail">
                      <Data>{detail ?? ""}</Data>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      <nav class="pager" aria-label="Pages of the audit log">
        {beforeSeq !== undefined && <a href={link(["audit"])}>Newest</a>}
        {entries.length === PAGE_ENTRIES && (
          <a href={link(["audit"], { before: entries.at(-1)!.seq })}>Older</a>
        )}
      </nav>
    </>,
  );
}

function Target({ action, target }: { action: string; target: string }) {
  const isJob = action === "cancel" || action === "requeue";
  return isJob
    ? (
      <a href={link(["jobs", target])}>
        <Data>{target}</Data>
      </a>
    )
    : <Data>{target}</Data>;
}
