import { setTimeout as sleep } from 'node:timers/promises'
import { PeerHostError } from '@peerhost/protocol'
import { parseCid } from '../block.ts'
import { streamCar, toCar } from '../car.ts'
import { DEFAULT_TIMEOUT_MS, reasonOf } from '../http.ts'
import { retrieve, retrieveBlock } from '../retrieve.ts'
import { DEFAULT_MAX_BYTES, type ImportedFile, type ReadOptions, type Store } from '../store.ts'
import { GatewayStore } from './gateway.ts'

export interface PinataOptions {
  /** Secret: PINATA_JWT. */
  jwt: string
  /** Where to upload, `/v3` included. Default: Pinata's. */
  uploadUrl?: string
  /** Trustless gateways to read from, tried in order. Default: two public ones. */
  gateways?: string[]
  /** Uploads before giving up on a busy or failing service. Default: 4. */
  attempts?: number
  /** Milliseconds before the second attempt, doubled each time. Default: 500. */
  retryDelayMs?: number
  /** Milliseconds for one attempt. Default: 30,000. */
  timeoutMs?: number
}

const PUBLIC_GATEWAYS = ['https://trustless-gateway.link', 'https://ipfs.io']

/** Pins on Pinata (v3, public network) and reads through trustless gateways. The CAR is uploaded, so that Pinata keeps our blocks and with them our CID. */
export class PinataStore implements Store {
  readonly name = 'Pinata'
  readonly #options: PinataOptions
  readonly #sources: GatewayStore[]

  constructor(options: PinataOptions) {
    if (!options.jwt) throw new PeerHostError('PH_STORE_AUTHENTICATION', { store: 'Pinata' })
    this.#options = options
    this.#sources = (options.gateways ?? PUBLIC_GATEWAYS).map(
      (url) => new GatewayStore({ url, timeoutMs: options.timeoutMs }),
    )
  }

  async put(file: ImportedFile, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const { attempts = 4, retryDelayMs = 500 } = this.#options
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#upload(file, signal)
      } catch (error) {
        const mayPass =
          error instanceof PeerHostError && (error.code === 'PH_STORE_UNREACHABLE' || error.code === 'PH_STORE_TIMEOUT')
        if (!mayPass || attempt >= attempts) throw error
        await sleep(retryDelayMs * 2 ** (attempt - 1), undefined, { signal })
      }
    }
  }

  get(cid: string, options: ReadOptions = {}): Promise<Uint8Array> {
    return retrieve(cid, this.#sources, options)
  }

  getBlock(cid: string, options: ReadOptions = {}): Promise<Uint8Array> {
    return retrieveBlock(cid, this.#sources, options)
  }

  async has(cid: string, options: ReadOptions = {}): Promise<boolean> {
    const answers = await Promise.allSettled(this.#sources.map((source) => source.has(cid, options)))
    if (answers.some((answer) => answer.status === 'fulfilled' && answer.value)) return true
    const failure = answers.find((answer) => answer.status === 'rejected')
    if (failure) throw failure.reason
    return false
  }

  async *car(cid: string, options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    yield* streamCar(
      parseCid(cid),
      (block) => this.getBlock(block.toString(), { signal: options.signal }),
      options.maxBytes ?? DEFAULT_MAX_BYTES,
    )
  }

  async close(): Promise<void> {}

  async #upload(file: ImportedFile, signal?: AbortSignal): Promise<void> {
    const { jwt, uploadUrl, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options
    const { PinataSDK } = await import('pinata')
    const pinata = new PinataSDK({ pinataJwt: jwt, ...(uploadUrl && { uploadUrl }) })
    const car = new File([toCar(file)], `${file.cid}.car`, { type: 'application/vnd.ipld.car' })
    // The SDK takes no signal: its upload is left to itself when the time is over.
    const answer = await before(timeoutMs, signal, pinata.upload.public.file(car).car()).catch((cause) => {
      signal?.throwIfAborted()
      throw this.#translate(cause)
    })
    if (answer?.cid !== file.cid) {
      throw new PeerHostError('PH_STORE_CID_MISMATCH', {
        store: this.name,
        expected: file.cid,
        actual: String(answer?.cid).slice(0, 80),
      })
    }
  }

  #translate(cause: unknown): PeerHostError {
    if (cause instanceof PeerHostError) return cause
    const store = this.name
    const detail = reasonOf(cause).replaceAll(this.#options.jwt, '…')
    const status = (cause as { statusCode?: number }).statusCode
    // Neither the SDK's error nor a text that echoes the credential is passed on.
    if (status === 401 || status === 403) return new PeerHostError('PH_STORE_AUTHENTICATION', { store })
    if (status === 413) return new PeerHostError('PH_STORE_TOO_LARGE', { limit: 'Pinata takes' })
    if (status === undefined || status === 429 || status >= 500)
      return new PeerHostError('PH_STORE_UNREACHABLE', { store, detail })
    return new PeerHostError('PH_STORE_REFUSED', { store, detail })
  }
}

async function before<T>(timeoutMs: number, signal: AbortSignal | undefined, work: PromiseLike<T>): Promise<T> {
  const deadline = AbortSignal.timeout(timeoutMs)
  const either = signal ? AbortSignal.any([signal, deadline]) : deadline
  let stop: () => void = () => undefined
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(new PeerHostError('PH_STORE_TIMEOUT', { store: 'Pinata' }))
    either.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, stopped])
  } finally {
    either.removeEventListener('abort', stop)
  }
}
