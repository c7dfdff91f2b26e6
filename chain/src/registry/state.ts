import { type FunctionSpec, type Hex, ZERO_HASH } from '@peerhost/protocol'

/** One version of a function as registered. */
export interface RegisteredService {
  /** Lower case. */
  owner: Hex
  project: string
  function: string
  serviceId: Hex
  version: number
  /** Block that registered it. */
  block: number
  spec: FunctionSpec
  /** Code digest 0: calls of this version are refused. */
  retired: boolean
}

export interface HotKeyRecord {
  owner: Hex
  fromEpoch: bigint
  /** Last epoch it signs for, inclusive. */
  untilEpoch: bigint
}

/** What the mirror keeps of an event. */
export type RegistryEvent = { block: number } & (
  | { name: 'FunctionDeployed'; owner: Hex; serviceId: Hex; project: string; version: number; spec: FunctionSpec }
  | { name: 'HotKeyRegistered'; owner: Hex; key: Hex; fromEpoch: bigint }
  | { name: 'HotKeyRevoked'; owner: Hex; key: Hex; untilEpoch: bigint }
  | { name: 'UnitsChanged'; owner: Hex; units: bigint }
  | { name: 'Jailed'; owner: Hex }
)

const FOR_EVER = (1n << 64n) - 1n

/** What the registry says after a list of events; built anew when a re-organisation takes events back. */
export class RegistryState {
  /** All versions of a service, by number. */
  readonly versions = new Map<Hex, Map<number, RegisteredService>>()
  readonly latest = new Map<Hex, RegisteredService>()
  /** `owner/project` to the ids of its services. */
  readonly projects = new Map<string, Set<Hex>>()
  readonly hotKeys = new Map<Hex, HotKeyRecord>()
  readonly units = new Map<Hex, bigint>()
  readonly jailed = new Set<Hex>()

  constructor(events: Iterable<RegistryEvent> = []) {
    for (const event of events) this.apply(event)
  }

  apply(event: RegistryEvent): void {
    switch (event.name) {
      case 'FunctionDeployed':
        this.#register(event)
        return
      case 'HotKeyRegistered':
        this.hotKeys.set(event.key, { owner: event.owner, fromEpoch: event.fromEpoch, untilEpoch: FOR_EVER })
        return
      case 'HotKeyRevoked': {
        const record = this.hotKeys.get(event.key)
        if (record) this.hotKeys.set(event.key, { ...record, untilEpoch: event.untilEpoch })
        return
      }
      case 'UnitsChanged':
        this.units.set(event.owner, event.units)
        return
      case 'Jailed':
        this.jailed.add(event.owner)
    }
  }

  #register({ block, owner, serviceId, project, version, spec }: RegistryEvent & { name: 'FunctionDeployed' }): void {
    const service: RegisteredService = {
      owner,
      project,
      function: spec.name,
      serviceId,
      version,
      block,
      spec,
      retired: spec.codeDigest === ZERO_HASH,
    }
    let versions = this.versions.get(serviceId)
    if (!versions) {
      versions = new Map()
      this.versions.set(serviceId, versions)
    }
    versions.set(version, service)
    this.latest.set(serviceId, service)
    const key = `${owner}/${project}`
    let ids = this.projects.get(key)
    if (!ids) {
      ids = new Set()
      this.projects.set(key, ids)
    }
    ids.add(serviceId)
  }
}
