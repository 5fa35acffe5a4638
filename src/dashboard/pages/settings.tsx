/** Every setting, what it is now, and where that comes from. */
import {
  isStored,
  SETTING_NAMES,
  type SettingName,
  SETTINGS,
  variableOf,
} from "../../config/settings.ts";
import { formatDuration } from "../../lib/duration.ts";
import { formatSize } from "../../lib/size.ts";
import type { Context } from "../context.ts";
import { page } from "../layout.tsx";
import { Copyable, Data } from "../parts.tsx";

export async function settingsPage(context: Context): Promise<Response> {
  const { services: { queue, settings } } = context;
  const stored = await queue.store.configAll();
  return await page(
    context,
    { title: "Settings", place: "Settings" },
    <>
      <h1>Settings</h1>
      <p>
        As this server uses them. Those kept in the database count for every process that does not
        say otherwise by a flag or a variable, from its next start:
      </p>
      <Copyable text="queuectl config set max-retries 5" label="Command that changes a setting" />
      <div class="scroll" tabindex={0} role="region" aria-label="Table of settings">
        <table class="cards settings">
          <thead>
            <tr>
              <th scope="col">Setting</th>
              <th scope="col">Now</th>
              <th scope="col">Default</th>
              <th scope="col">In the database</th>
              <th scope="col">Meaning</th>
            </tr>
          </thead>
          <tbody>
            {SETTING_NAMES.map((name) => {
              const { default: fallback, doc } = SETTINGS[name];
              const now = textOf(name, settings[name]);
              const isChanged = now !== (fallback || "none") && name !== "heartbeat";
              return (
                <tr>
                  <th scope="row" data-label="Setting" title={variableOf(name)}>
                    <code>{name}</code>
                  </th>
                  <td data-label="Now" class={isChanged ? "changed" : ""}>
                    <Data>{now}</Data>
                  </td>
                  <td data-label="Default" class="soft">
                    <Data>{fallback || "none"}</Data>
                  </td>
                  <td data-label="In the database">
                    {isStored(name)
                      ? <Data>{stored.get(name) ?? "–"}</Data>
                      : <span class="soft">not kept there</span>}
                  </td>
                  <td data-label="Meaning">{doc}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </>,
  );
}

/** The value as it is written in a flag, as far as its default tells how. */
function textOf(name: SettingName, value: unknown): string {
  if (value === null || value === undefined) return "none";
  if (typeof value === "boolean") return value ? "on" : "off";
  if (Array.isArray(value)) return value.join(",") || "none";
  const { default: fallback, type } = SETTINGS[name];
  if (typeof value === "number") {
    if (/duration/.test(type.expected)) return formatDuration(value);
    if (/size/.test(type.expected)) return formatSize(value);
    // A default that is written another way stands for the same.
    if (fallback !== null && Number(fallback) === value) return fallback;
  }
  return String(value);
}
