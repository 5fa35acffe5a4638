/** What the words mean, and the keys. */
import { STATES } from "../../job/state.ts";
import type { Context } from "../context.ts";
import { page } from "../layout.tsx";
import { STATE_MEANING, StateChip } from "../parts.tsx";

const KEYS = [
  ["/", "go to the search field"],
  ["g then o, j, d, q, s or w", "overview, jobs, dead letters, queues, schedules, workers"],
  ["n", "new job"],
  ["j and k", "next and previous row"],
  ["Enter", "open the row"],
  ["x", "select the row, or no longer"],
  ["?", "this page"],
] as const;

export function helpPage(context: Context): Promise<Response> {
  return page(
    context,
    { title: "Help" },
    <>
      <h1>Help</h1>
      <section class="panel">
        <h2>Why did my job die, and how do I run it again?</h2>
        <ol>
          <li>
            Open{" "}
            <a href="/ui/dead">Dead letters</a>. What died of the same stands together; open a job
            by its id.
          </li>
          <li>
            The box at the top says what went wrong and what may help. Each attempt, with its exit
            code and its error, stands below, then what it printed.
          </li>
          <li>
            “Run again” gives it a fresh set of attempts. “Edit and run again” changes its command
            or payload first.
          </li>
        </ol>
      </section>
      <section class="panel">
        <h2>The states of a job</h2>
        <dl class="facts">
          {STATES.map((state) => (
            <div>
              <dt>
                <StateChip state={state} />
              </dt>
              <dd>{STATE_MEANING[state]}</dd>
            </div>
          ))}
        </dl>
      </section>
      <section class="panel">
        <h2>Keyboard</h2>
        <dl class="facts">
          {KEYS.map(([key, meaning]) => (
            <div>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{meaning}</dd>
            </div>
          ))}
        </dl>
        <label class="check" data-script hidden>
          <input type="checkbox" id="keys-off" /> no shortcuts of single keys in this browser
        </label>
      </section>
    </>,
  );
}
