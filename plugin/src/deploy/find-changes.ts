import { isRegistered, readRegistration, retiredSpec } from '@peerhost/chain'
import {
  canonicalJson,
  cidOfDigest,
  decodeManifest,
  type FunctionSpec,
  type Hex,
  isPeerHostError,
  type ManifestFunction,
  VERIFICATION_CLASSES,
} from '@peerhost/protocol'
import type { Source } from '@peerhost/storage'
import type { ChainConnection } from './connect-network.ts'
import type { ServedFunction } from './gateway-client.ts'

export interface Changes {
  /** New, or registered otherwise than they are now. */
  changed: ManifestFunction[]
  /** With the version that stays. */
  unchanged: { entry: ManifestFunction; version: number }[]
  /** Names that are registered and no longer in serverless.yml. */
  removed: string[]
}

/** What `deploy` registers of a manifest entry. */
export const specOf = (entry: ManifestFunction, manifestDigest: Hex): FunctionSpec => ({
  name: entry.name,
  codeDigest: entry.codeDigest,
  manifestDigest,
  price: BigInt(entry.price),
  class: VERIFICATION_CLASSES[entry.verification],
  runtimeId: entry.runtimeId,
})

/** The functions of a manifest that lies on IPFS; none where it is lost or unreadable, so that a new one takes its place. */
async function readManifest(store: Source, digest: Hex): Promise<Map<string, ManifestFunction>> {
  try {
    const { functions } = decodeManifest(await store.get(cidOfDigest(digest)))
    return new Map(functions.map((entry) => [entry.name, entry]))
  } catch (error) {
    if (isPeerHostError(error)) return new Map()
    throw error
  }
}

/**
 * Compares with what is registered. The gateway only says which manifest to look at: a function is unchanged if its entry is
 * there in the same words and the chain holds the commitment to exactly that.
 */
export async function findChanges(
  { chain, network, owner }: Pick<ChainConnection, 'chain' | 'network' | 'owner'>,
  project: string,
  entries: ManifestFunction[],
  served: Map<string, ServedFunction>,
  manifests: Source,
): Promise<Changes> {
  const read = new Map<Hex, Promise<Map<string, ManifestFunction>>>()
  const previous = (digest: Hex) => {
    const known = read.get(digest) ?? readManifest(manifests, digest)
    read.set(digest, known)
    return known
  }
  const registration = (name: string) =>
    readRegistration(chain.provider, network.contracts.ExecutionCoordinator, owner, project, name)

  const changes: Changes = { changed: [], unchanged: [], removed: [] }
  const states = await Promise.all(
    entries.map(async (entry) => {
      const current = served.get(entry.name)
      if (!current) return undefined
      const before = (await previous(current.manifestDigest)).get(entry.name)
      if (!before || canonicalJson(before) !== canonicalJson(entry)) return undefined
      const { version, commitment } = await registration(entry.name)
      return isRegistered(commitment, specOf(entry, current.manifestDigest)) ? version : undefined
    }),
  )
  for (const [i, entry] of entries.entries()) {
    const version = states[i]
    if (version === undefined) changes.changed.push(entry)
    else changes.unchanged.push({ entry, version })
  }

  const names = new Set(entries.map(({ name }) => name))
  for (const name of served.keys()) {
    if (names.has(name)) continue
    const { version, commitment } = await registration(name)
    if (version > 0 && !isRegistered(commitment, retiredSpec(name))) changes.removed.push(name)
  }
  return changes
}
