import type { RegisteredService } from '@peerhost/chain'
import {
  cidOfDigest,
  decodeManifest,
  type Hex,
  type ManifestFunction,
  PeerHostError,
  sha256Hex,
  VERIFICATION_CLASSES,
} from '@peerhost/protocol'
import type { SandboxFunction } from '@peerhost/sandbox'
import { importBytes, retrieve, type Source, type Store } from '@peerhost/storage'

export interface FunctionSourceOptions {
  /** The worker's own store, asked first; what comes from elsewhere is kept in it. */
  store: Store
  /** Where else to look: the gateways that the worker is connected to. */
  sources: () => Source[]
  /** Largest bundle it takes, in bytes. */
  maxBundleBytes: number
}

/** How many functions' definitions are kept in memory. */
const MAX_FUNCTIONS = 1_000
const RETRIEVE_MS = 10_000

/** Finds a registered function's manifest and bundle, and believes neither before its digest is the registered one. */
export class FunctionSource {
  readonly #options: FunctionSourceOptions
  readonly #functions = new Map<string, Promise<SandboxFunction>>()

  constructor(options: FunctionSourceOptions) {
    this.#options = options
  }

  /** Throws PH_STORE_*, PH_MANIFEST_INVALID or PH_MANIFEST_MISMATCH; a failure is not remembered. */
  find(service: RegisteredService): Promise<SandboxFunction> {
    const key = `${service.serviceId}:${service.version}:${service.spec.manifestDigest}`
    const known = this.#functions.get(key)
    if (known) return known
    const found = this.#load(service)
    this.#functions.set(key, found)
    found.catch(() => this.#functions.delete(key))
    if (this.#functions.size > MAX_FUNCTIONS) this.#functions.delete(this.#functions.keys().next().value!)
    return found
  }

  /** A bundle's bytes, verified; also for a function that is not registered yet. */
  async bundle({ bundleCid, codeDigest }: Pick<ManifestFunction, 'bundleCid' | 'codeDigest'>): Promise<Uint8Array> {
    const bytes = await this.#read(bundleCid, this.#options.maxBundleBytes)
    const actual = sha256Hex(bytes)
    if (actual !== codeDigest) throw new PeerHostError('PH_BUNDLE_DIGEST_MISMATCH', { expected: codeDigest, actual })
    return bytes
  }

  async #load({ owner, project, function: name, version, spec }: RegisteredService): Promise<SandboxFunction> {
    const manifest = decodeManifest(await this.#read(cidOfDigest(spec.manifestDigest), 1024 * 1024))
    const definition = manifest.functions.find((entry) => entry.name === name)
    const mismatch = (detail: string) => new PeerHostError('PH_MANIFEST_MISMATCH', { detail })
    if (manifest.owner !== owner || manifest.project !== project || !definition)
      throw mismatch('it is of another function')
    checkDefinition(definition, spec, mismatch)
    return { owner, project, version, definition, bundle: () => this.bundle(definition) }
  }

  async #read(cid: string, maxBytes: number): Promise<Uint8Array> {
    const { store, sources } = this.#options
    if (await store.has(cid)) {
      try {
        return await store.get(cid, { maxBytes })
      } catch {} // damaged or not whole: fetched again
    }
    const bytes = await retrieve(cid, sources(), { maxBytes, timeoutMs: RETRIEVE_MS })
    const file = await importBytes(bytes)
    if (file.cid === cid) await store.put(file)
    return bytes
  }
}

function checkDefinition(
  definition: ManifestFunction,
  spec: { codeDigest: Hex; price: bigint; class: number; runtimeId: Hex },
  mismatch: (detail: string) => PeerHostError,
): void {
  if (definition.codeDigest !== spec.codeDigest) throw mismatch('it names other code')
  if (BigInt(definition.price) !== spec.price) throw mismatch('it names another price')
  if (definition.runtimeId !== spec.runtimeId) throw mismatch('it names another runtime')
  if (VERIFICATION_CLASSES[definition.verification] !== spec.class) throw mismatch('it names another verification')
}
