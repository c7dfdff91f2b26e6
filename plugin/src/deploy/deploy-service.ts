import { deployFunctions, retiredSpec } from '@peerhost/chain'
import { encodeManifest, type Hex, type Manifest, type ManifestFunction } from '@peerhost/protocol'
import { importBytes, type Store } from '@peerhost/storage'
import type { Steps } from '../steps.ts'
import { type BuiltFunction, buildTools } from './build-functions.ts'
import type { ChainConnection } from './connect-network.ts'
import { findChanges, specOf } from './find-changes.ts'
import { gatewayProver, isSandboxFailure, openProver, type Prover, proveFunctions } from './prove-functions.ts'
import { waitUntilServed } from './wait-until-served.ts'

export interface DeployOptions {
  project: string
  functions: BuiltFunction[]
  store: Store
  steps: Steps
  /** Retire what is registered and not among the functions. Not where only some of a project are deployed. */
  retireOthers: boolean
  /** Of these the registered ones stay, though they are not among the functions. */
  keep?: ReadonlySet<string>
  /** Register also what has not changed. */
  force?: boolean
  /** Kept by who deploys again and again; else one is opened when it is needed. */
  prover?: Prover
  onLog: (line: string) => void
}

/** A function as it stands after a deploy. */
export interface DeployedFunction {
  entry: ManifestFunction
  version: number
  changed: boolean
}

export interface DeployResult {
  functions: DeployedFunction[]
  /** Names of retired functions. */
  removed: string[]
  /** Absent if nothing had changed. */
  transaction?: { hash: Hex; gasUsed: bigint }
  manifestDigest?: Hex
}

/** Puts what is not there yet; a bundle that two functions share goes once. */
async function storeBundles(store: Store, functions: BuiltFunction[]): Promise<void> {
  const files = new Map(functions.map(({ file }) => [file.cid, file]))
  for (const file of files.values()) {
    if (!(await store.has(file.cid))) await store.put(file)
  }
}

/** Stores the bundles and proves what has to be: before storing where the sandbox works here, behind it on workers. */
async function storeAndProve(
  connection: ChainConnection,
  functions: BuiltFunction[],
  options: DeployOptions,
): Promise<void> {
  const { store, steps, project, onLog } = options
  const claims = functions.filter(({ entry }) => entry.verification !== 'none')
  const label = functions.length === 1 ? 'the bundle' : `${functions.length} bundles`
  const storing = () => steps.run('store', `Storing ${label} (${store.name})`, () => storeBundles(store, functions))
  if (claims.length === 0) return storing()
  const remoteOptions = { owner: connection.owner, project, gateway: connection.gateway, onLog }
  const prover = options.prover ?? (await openProver(remoteOptions))
  const names = claims.map(({ entry }) => entry.name).join(', ')
  const proving = (by: Prover) => steps.run('prove', `Proving ${names} deterministic`, () => proveFunctions(by, claims))
  try {
    if (prover.remote) await storing()
    try {
      await proving(prover)
    } catch (error) {
      if (prover.remote || !isSandboxFailure(error)) throw error
      onLog(`The gateway's workers prove what is deterministic: ${(error as Error).message}`)
      await storing()
      return await proving(gatewayProver(remoteOptions))
    }
    if (!prover.remote) await storing()
  } finally {
    if (!options.prover) await prover.close()
  }
}

/**
 * Registers functions: bundles and manifest to the store, one transaction for all that changed, then waits until the gateway
 * serves it. Whatever fails before the transaction leaves nothing registered; the transaction registers all or nothing.
 */
export async function deployService(connection: ChainConnection, options: DeployOptions): Promise<DeployResult> {
  const { owner, gateway, network, sender } = connection
  const { project, functions, store, steps, retireOthers, keep } = options
  const entries = functions.map(({ entry }) => entry)
  const { changed, unchanged, removed } = await steps.run('compare', 'Comparing with what is registered', async () => {
    const changes = await findChanges(connection, project, entries, await gateway.services(owner, project), store)
    const all = options.force ? { changed: entries, unchanged: [] } : changes
    return { ...changes, ...all, removed: retireOthers ? changes.removed.filter((name) => !keep?.has(name)) : [] }
  })
  const kept = unchanged.map(({ entry, version }): DeployedFunction => ({ entry, version, changed: false }))
  if (changed.length === 0 && removed.length === 0) return { functions: kept, removed }

  const manifest: Manifest = { schema: 'peerhost/manifest/1', owner, project, functions: changed, tools: buildTools() }
  const { bytes, digest: manifestDigest } = encodeManifest(manifest)
  const names = changed.map(({ name }) => name)
  if (changed.length > 0) {
    await storeAndProve(
      connection,
      functions.filter(({ entry }) => names.includes(entry.name)),
      options,
    )
    await store.put(await importBytes(bytes))
  }
  const specs = [...changed.map((entry) => specOf(entry, manifestDigest)), ...removed.map(retiredSpec)]
  const transaction = await steps.run('register', `Registering on ${network.info.name}`, async () => {
    const sent = await deployFunctions(sender, network.contracts.ExecutionCoordinator, project, specs)
    const { hash, gasUsed } = await sent.wait()
    return { hash: hash as Hex, gasUsed }
  })
  const served = await steps.run('gateway', 'Waiting for the gateway', () =>
    waitUntilServed(gateway, owner, project, { functions: names.map((name) => ({ name, manifestDigest })), removed }),
  )
  const fresh = changed.map(
    (entry): DeployedFunction => ({ entry, version: served.get(entry.name)!.version, changed: true }),
  )
  const order = new Map(entries.map(({ name }, i) => [name, i]))
  const all = [...kept, ...fresh].sort((a, b) => order.get(a.entry.name)! - order.get(b.entry.name)!)
  return { functions: all, removed, transaction, manifestDigest }
}

/** Retires every function of a project. Returns the names, none if there was nothing. */
export async function removeService(
  connection: ChainConnection,
  project: string,
  store: Store,
  steps: Steps,
): Promise<Pick<DeployResult, 'removed' | 'transaction'>> {
  return deployService(connection, { project, functions: [], store, steps, retireOthers: true, onLog: () => {} })
}
