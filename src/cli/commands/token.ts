/** `queuectl token create|list|revoke`: who may use the API, and for what. */
import { isoTime } from "../../lib/clock.ts";
import { createToken, isValidAt, revokeToken } from "../../queue/tokens.ts";
import type { NewToken, StoredToken } from "../../store/store.ts";
import type { Invocation } from "../command.ts";
import { signatureOf, withStore } from "../context.ts";
import { durationOption } from "../durations.ts";
import { EXIT, UsageError } from "../exit.ts";
import type { Column } from "../output.ts";

export function run(invocation: Invocation): Promise<number> {
  switch (invocation.spec.path[1]) {
    case "create":
      return create(invocation);
    case "list":
      return list(invocation);
    default:
      return revoke(invocation);
  }
}

const DEFAULT_SCOPES = "read,submit";

function create(invocation: Invocation): Promise<number> {
  const { options, out } = invocation;
  const name = options.text("name");
  if (name === undefined) throw new UsageError("expected --name NAME: whose token it is");
  const request = {
    name,
    scopes: options.text("scopes") ?? DEFAULT_SCOPES,
    expiresInMs: durationOption(invocation, "expires") ?? null,
  };
  return withStore(invocation, async ({ store }) => {
    const { token, secret } = await createToken(store, request, signatureOf(invocation.io, store));
    if (out.isJson) {
      out.json({ ...tokenView(token), secret });
    } else if (options.isOn("quiet")) {
      out.line(secret);
    } else {
      out.line(secret);
      out.note(
        `This is the secret of the token ${token.id} (${name}: ${token.scopes.join(",")}). It is ` +
          "shown this once.\nSend it as the header Authorization: Bearer SECRET.",
      );
    }
    return EXIT.done;
  });
}

const COLUMNS: readonly Column[] = [
  { title: "ID" },
  { title: "NAME" },
  { title: "SCOPES" },
  { title: "CREATED" },
  { title: "LAST USED" },
  { title: "EXPIRES" },
];

function list(invocation: Invocation): Promise<number> {
  const { out } = invocation;
  return withStore(invocation, async ({ store }) => {
    const tokens = await store.tokens();
    if (out.isJson) {
      out.json(tokens.map((token) => ({
        ...tokenView(token),
        last_used_at: isoTime(token.lastUsedAtMs),
        expired: !isValidAt(token, out.clock()),
      })));
    } else if (tokens.length === 0) {
      out.note("There are no tokens.");
    } else {
      out.table(COLUMNS, tokens.map((token) => cells(token, invocation)));
    }
    return EXIT.done;
  });
}

function cells(token: StoredToken, { out }: Invocation): string[] {
  const { id, name, scopes, createdAtMs, lastUsedAtMs, expiresAtMs } = token;
  const expires = isValidAt(token, out.clock()) ? out.time(expiresAtMs) : "expired";
  return [id, name, scopes.join(","), out.time(createdAtMs), out.time(lastUsedAtMs), expires];
}

function revoke(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  return withStore(invocation, async ({ store }) => {
    const { id, name } = await revokeToken(store, args[0]!, signatureOf(invocation.io, store));
    if (out.isJson) out.json({ id, name, revoked: true });
    else out.line(`Token ${id} (${name}) is revoked`);
    return EXIT.done;
  });
}

/** What may be shown of a token: neither its secret nor its hash. */
function tokenView({ id, name, scopes, createdAtMs, expiresAtMs }: NewToken) {
  return { id, name, scopes, created_at: isoTime(createdAtMs), expires_at: isoTime(expiresAtMs) };
}
