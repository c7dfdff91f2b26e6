import { PeerHostError } from '@peerhost/protocol'
import { carLimit, readCar } from './car.ts'
import { readLimited } from './http.ts'
import { DEFAULT_MAX_BYTES, type Store } from './store.ts'

export interface AcceptUploadOptions {
  /** Bytes of the file. Default: DEFAULT_MAX_BYTES. */
  maxBytes?: number
  signal?: AbortSignal
}

/** What the uploader is answered. */
export interface UploadResult {
  cid: string
  /** Bytes of the file. */
  size: number
}

/**
 * Takes the CAR of an upload into a store: one file, whole, every block re-hashed, nothing stored before all of it is checked.
 * Who may upload is for the caller to decide; the hash that its signature covers is that of these bytes.
 *
 * @throws PH_STORE_TOO_LARGE (413) as soon as too much has arrived, PH_STORE_CAR_INVALID (400) for all that is wrong with the CAR, PH_STORE_FULL
 */
export async function acceptUpload(
  store: Store,
  body: AsyncIterable<Uint8Array> | Uint8Array,
  { maxBytes = DEFAULT_MAX_BYTES, signal }: AcceptUploadOptions = {},
): Promise<UploadResult> {
  const bytes = body instanceof Uint8Array ? body : await readLimited(body, carLimit(maxBytes))
  const file = await readCar(bytes, { maxBytes }).catch((cause) => {
    // Here the sender is at fault, not a remote store.
    if (!(cause instanceof PeerHostError) || cause.status !== 502) throw cause
    throw new PeerHostError('PH_STORE_CAR_INVALID', { detail: cause.message }, { cause })
  })
  await store.put(file, { signal })
  return { cid: file.cid, size: file.size }
}
