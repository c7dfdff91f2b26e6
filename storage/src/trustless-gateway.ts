import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { PeerHostError, toPeerHostError } from '@peerhost/protocol'
import { parseCid } from './block.ts'
import { blockCar } from './car.ts'
import { DEFAULT_TIMEOUT_MS } from './http.ts'
import { DEFAULT_MAX_BYTES, type Store } from './store.ts'

export interface TrustlessGatewayOptions {
  /** Bytes of the largest file that is served. Default: DEFAULT_MAX_BYTES. */
  maxBytes?: number
  /** Milliseconds until the first block has to be there: PH_STORE_TIMEOUT. Default: 30,000. */
  timeoutMs?: number
}

type Format = 'raw' | 'car'
const TYPES = { raw: 'application/vnd.ipld.raw', car: 'application/vnd.ipld.car' } as const
const CAR_TYPE = `${TYPES.car}; version=1; order=dfs; dups=n`

/**
 * Serves GET and HEAD `/ipfs/<cid>` from a store as a trustless IPFS gateway
 * (https://specs.ipfs.tech/http-gateways/trustless-gateway/): `?format=raw|car` or an Accept header, `dag-scope`.
 * The handler takes node:http's pair, also from express; it always answers and never throws. Errors are JSON of a PeerHostError.
 */
export function trustlessGateway(store: Store, options: TrustlessGatewayOptions = {}) {
  return async (req: IncomingMessage & { originalUrl?: string }, res: ServerResponse): Promise<void> => {
    const gone = new AbortController()
    res.once('close', () => gone.abort())
    try {
      await answer(store, options, req, res, gone.signal)
    } catch (error) {
      sendError(req, res, error)
    }
  }
}

async function answer(
  store: Store,
  { maxBytes = DEFAULT_MAX_BYTES, timeoutMs = DEFAULT_TIMEOUT_MS }: TrustlessGatewayOptions,
  req: IncomingMessage & { originalUrl?: string },
  res: ServerResponse,
  gone: AbortSignal,
): Promise<void> {
  if (req.method !== 'GET' && req.method !== 'HEAD')
    throw new PeerHostError('PH_REQUEST_METHOD', { method: String(req.method), allowed: 'GET or HEAD' })
  const { cid, query } = readTarget(req.originalUrl ?? req.url ?? '')
  const format = chooseFormat(query.get('format'), req.headers.accept)
  const blockOnly = format === 'car' && query.get('dag-scope') === 'block'

  const late = AbortSignal.timeout(timeoutMs)
  const whenLate = (error: unknown) =>
    late.aborted && !gone.aborted ? new PeerHostError('PH_STORE_TIMEOUT', { store: 'of this gateway' }) : error
  const signal = AbortSignal.any([gone, late])
  const etag = format === 'raw' ? `"${cid}.raw"` : `W/"${cid}.car${blockOnly ? '.block' : ''}"`
  const headers: Record<string, string> = {
    'content-type': format === 'raw' ? TYPES.raw : CAR_TYPE,
    'content-disposition': `attachment; filename="${cid}.${format === 'raw' ? 'bin' : 'car'}"`,
    'cache-control': 'public, max-age=31536000, immutable',
    etag,
    vary: 'accept',
    'x-content-type-options': 'nosniff',
    'x-ipfs-path': `/ipfs/${cid}`,
    'x-ipfs-roots': cid,
    'access-control-allow-origin': '*',
  }

  if (format === 'raw' || blockOnly || req.method === 'HEAD' || matches(req.headers['if-none-match'], etag)) {
    const block = await store.getBlock(cid, { signal }).catch((error) => Promise.reject(whenLate(error)))
    if (matches(req.headers['if-none-match'], etag)) return void res.writeHead(304, headers).end()
    const body = blockOnly ? blockCar(parseCid(cid), block) : block
    if (format === 'raw' || blockOnly) headers['content-length'] = String(body.length)
    return void res.writeHead(200, headers).end(req.method === 'HEAD' ? undefined : body)
  }

  // The first part comes before the status, so that what cannot be read is still answered with an error.
  const parts = store.car(cid, { maxBytes, signal: gone })[Symbol.asyncIterator]()
  const first = await Promise.race([parts.next(), rejectOn(late)]).catch((error) => {
    void Promise.resolve(parts.return?.()).catch(() => undefined)
    throw whenLate(error)
  })
  res.writeHead(200, headers)
  const body = Readable.from(continued(first, parts), { objectMode: false })
  // A failure in mid-stream can only be shown by cutting the connection; the client finds the CAR incomplete.
  await pipeline(body, res).catch(() => res.destroy())
}

async function* continued(
  first: IteratorResult<Uint8Array>,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    for (let part = first; !part.done; part = await rest.next()) yield part.value
  } finally {
    await rest.return?.()
  }
}

function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}

function readTarget(target: string): { cid: string; query: URLSearchParams } {
  const { pathname, searchParams } = new URL(target, 'http://gateway.invalid')
  // Paths below a CID need folders, which nothing here stores.
  const cid = /^(?:\/ipfs)?\/([A-Za-z0-9]+)$/.exec(pathname)?.[1]
  if (!cid) throw new PeerHostError('PH_STORE_CID_INVALID', { cid: pathname.slice(0, 80) })
  return { cid: parseCid(cid).toString(), query: searchParams }
}

/** By the specification the query wins over the header, and without either the answer would not be verifiable: 406. */
function chooseFormat(asked: string | null, accept = ''): Format {
  if (asked === 'raw' || asked === 'car') return asked
  if (asked !== null) throw new PeerHostError('PH_STORE_FORMAT', { format: asked.slice(0, 40) })
  let best: { format: Format; weight: number } | undefined
  for (const item of accept.split(',').slice(0, 32)) {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase())
    const format = type === TYPES.raw ? 'raw' : type === TYPES.car ? 'car' : undefined
    if (!format || parameters.some((parameter) => /^version=(?!1$)/.test(parameter))) continue
    const weight = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1)
    if (weight > 0 && (!best || weight > best.weight)) best = { format, weight }
  }
  if (!best) throw new PeerHostError('PH_STORE_FORMAT', { format: accept.slice(0, 40) || 'of a plain download' })
  return best.format
}

const matches = (header: string | undefined, etag: string): boolean =>
  header?.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag.replace(/^W\//, '')) ??
  false

function sendError(req: IncomingMessage, res: ServerResponse, error: unknown): void {
  if (res.headersSent || res.destroyed) return void res.destroy()
  const problem = toPeerHostError(error)
  const body = JSON.stringify(problem)
  res.writeHead(problem.status, {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'cache-control': 'no-store',
    'access-control-allow-origin': '*',
    ...(problem.code === 'PH_REQUEST_METHOD' && { allow: 'GET, HEAD' }),
  })
  res.end(req.method === 'HEAD' ? undefined : body)
}
