import { type Manifest, PeerHostError, validateManifest } from '@peerhost/protocol'
import type { Request, Response } from 'express'
import type { Context } from '../context.ts'
import { jsonBody } from '../http/json-body.ts'
import { Quota } from '../http/quota.ts'
import { readBody } from '../http/read-body.ts'
import { requireAccess } from '../http/require-access.ts'
import { sendJson } from '../http/send-json.ts'
import { callerOf, sourceAddress } from '../http/source-address.ts'

const MAX_RUNS = 5
/** Wallets that one source may use to the full: they cost nothing. */
const WALLETS_OF_ONE = 4
const MAX_BODY_BYTES = 256 * 1024
/** Milliseconds: jails, the bundle's way to the worker. */
const MARGIN_MS = 30_000
const MAX_MS = 120_000

/**
 * POST /prove `{project, definition, runs}`: has a worker run a bundle, which was uploaded before, several times. Answers
 * `{deterministic}` and, where that is false, the first `difference`. Signed by the wallet that will own the function.
 */
export function proveRoute(context: Context) {
  const { provesPerMinute } = context.config.limits
  const quota = new Quota(provesPerMinute, 60_000)
  const sources = new Quota(WALLETS_OF_ONE * provesPerMinute, 60_000)
  return async (req: Request, res: Response): Promise<void> => {
    const body = await readBody(req, MAX_BODY_BYTES)
    const owner = requireAccess(context, req, body)
    const { project, definition, runs = 3 } = (jsonBody(body) ?? {}) as Record<string, unknown>
    if (!Number.isInteger(runs) || (runs as number) < 2 || (runs as number) > MAX_RUNS)
      throw new PeerHostError('PH_REQUEST_INVALID', { detail: `runs is not between 2 and ${MAX_RUNS}` })
    const manifest = validateManifest({
      schema: 'peerhost/manifest/1',
      owner,
      project,
      functions: [definition],
      tools: {},
    } as Manifest)
    quota.take(owner)
    sources.take(callerOf(sourceAddress(req, context.isTrustedProxy)))
    const [checked] = manifest.functions
    const connection = await context.pool.acquire({
      runtimeId: checked!.runtimeId,
      name: '',
      excluded: new Set(),
    })
    const samples = Math.max(1, checked!.routes.length)
    const timeoutMs = Math.min(MAX_MS, MARGIN_MS + (runs as number) * samples * checked!.timeout * 1000)
    const { difference } = await connection.prove(
      { owner, project: manifest.project, definition: checked!, runs: runs as number },
      { timeoutMs },
    )
    const found = typeof difference === 'string' ? difference.slice(0, 4096) : undefined
    sendJson(req, res, 200, { deterministic: found === undefined, ...(found !== undefined && { difference: found }) })
  }
}
