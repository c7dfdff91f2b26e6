import { PeerHostError } from '@peerhost/protocol'
import type { Request, Response } from 'express'
import type { Context } from '../context.ts'
import { requireOwner } from '../http/require-access.ts'
import { ownerInPath } from './named-function.ts'
import { queryText } from './services.ts'

const MAX_RECORDS = 1_000
const DEFAULT_RECORDS = 100

function readCount(value: unknown, name: string): number | undefined {
  const text = queryText(value)
  if (text === undefined) return undefined
  if (!/^[0-9]{1,15}$/.test(text)) throw new PeerHostError('PH_REQUEST_INVALID', { detail: `${name} is not a number` })
  return Number(text)
}

/**
 * GET /logs/<wallet>/<project>/<function>?since=<cursor>&limit=<n>: invocations as JSON lines, oldest first, for the
 * owner. Without `since` the last ones; `peerhost-cursor` is what to ask for next.
 */
export function logsRoute({ domain, store }: Context) {
  return async (req: Request, res: Response): Promise<void> => {
    const owner = ownerInPath(req)
    requireOwner({ domain }, req, new Uint8Array(), owner)
    const since = readCount(req.query.since, 'since')
    const limit = Math.min(readCount(req.query.limit, 'limit') ?? DEFAULT_RECORDS, MAX_RECORDS)
    const found = store.logs({ function: `${owner}/${req.params.project}/${req.params.function}`, since, limit })
    const text = found
      .map(({ cursor, record }) => {
        const { time, lines, ...rest } = record
        const split = lines === '' ? [] : lines.replace(/\n$/, '').split('\n')
        return `${JSON.stringify({ cursor, ...rest, time: new Date(time).toISOString(), lines: split })}\n`
      })
      .join('')
    res.writeHead(200, {
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store',
      'peerhost-cursor': String(found.at(-1)?.cursor ?? since ?? 0),
      'content-length': Buffer.byteLength(text),
    })
    res.end(text)
  }
}
