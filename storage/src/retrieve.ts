import { isPeerHostError, PeerHostError, toPeerHostError } from '@peerhost/protocol'
import { parseCid } from './block.ts'
import { GatewayStore } from './drivers/gateway.ts'
import type { ReadOptions, Source } from './store.ts'

export interface RetrieveOptions extends ReadOptions {
  /** Milliseconds for each source. Default: the source's own. */
  timeoutMs?: number
}

/**
 * Reads a file from the first of several sources that has it whole and sound; a lying or dead source only costs its time.
 *
 * @param sources stores, or the URLs of trustless gateways (`<url>/ipfs/<cid>`)
 * @throws PH_STORE_NOT_FOUND if every source says so; the one code on which all agree; else PH_STORE_UNREACHABLE with all reasons in `cause`.
 */
export function retrieve(
  cid: string,
  sources: readonly (Source | string)[],
  options: RetrieveOptions = {},
): Promise<Uint8Array> {
  return firstOf(cid, sources, options, (source, limits) => source.get(cid, limits))
}

/** Reads one block; otherwise as `retrieve`. */
export function retrieveBlock(
  cid: string,
  sources: readonly (Source | string)[],
  options: RetrieveOptions = {},
): Promise<Uint8Array> {
  return firstOf(cid, sources, options, (source, limits) => source.getBlock(cid, limits))
}

async function firstOf(
  cid: string,
  sources: readonly (Source | string)[],
  { maxBytes, signal, timeoutMs }: RetrieveOptions,
  read: (source: Source, limits: ReadOptions) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  parseCid(cid)
  const failures: PeerHostError[] = []
  for (const entry of sources) {
    signal?.throwIfAborted()
    const source = typeof entry === 'string' ? new GatewayStore({ url: entry, timeoutMs }) : entry
    const deadline = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs)
    const signals = [signal, deadline].filter((one) => one !== undefined)
    try {
      return await read(source, { maxBytes, signal: signals.length > 0 ? AbortSignal.any(signals) : undefined })
    } catch (cause) {
      signal?.throwIfAborted()
      failures.push(
        deadline?.aborted && !isPeerHostError(cause)
          ? new PeerHostError('PH_STORE_TIMEOUT', { store: source.name }, { cause })
          : toPeerHostError(cause),
      )
    }
  }
  const [first] = failures
  if (!first) throw new PeerHostError('PH_STORE_NOT_FOUND', { cid })
  if (failures.every((failure) => failure.code === first.code)) throw first
  const detail = failures.map((failure) => failure.message).join('; ')
  throw new PeerHostError(
    'PH_STORE_UNREACHABLE',
    { store: `(${failures.length} sources)`, detail },
    { cause: new AggregateError(failures) },
  )
}
