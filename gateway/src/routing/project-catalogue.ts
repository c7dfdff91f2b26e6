import { setTimeout as sleep } from 'node:timers/promises'
import type { RegisteredService, Registry } from '@peerhost/chain'
import {
  cidOfDigest,
  decodeManifest,
  type Hex,
  type Manifest,
  type ManifestFunction,
  PeerHostError,
  type Route,
  toPeerHostError,
  VERIFICATION_CLASSES,
} from '@peerhost/protocol'
import { retrieve, type Source } from '@peerhost/storage'
import type { Log } from '../log.ts'

/** A function that can be called: what the chain and what its manifest say of it. */
export interface ServedFunction {
  service: RegisteredService
  definition: ManifestFunction
  /** `<serviceId>:<version>`, as workers name what they have warm. */
  name: string
  /** Milliseconds. */
  timeoutMs: number
}

/** A route and the function behind it. */
export interface ServedRoute extends Route {
  served: ServedFunction
}

export interface Project {
  owner: Hex
  name: string
  functions: ServedFunction[]
  routes: ServedRoute[]
  /** Why functions of it cannot be served, if some cannot. */
  problem?: PeerHostError
  /** When what failed may be tried again, in milliseconds since 1970. */
  retryAt?: number
}

export interface ProjectCatalogueOptions {
  registry: Registry
  /** Where manifests are read from, the own store first. */
  sources: readonly (Source | string)[]
  log: Log
  /** Told of versions that were registered while this gateway runs, once their manifest is here. */
  onDeployed?: (service: RegisteredService) => void
  /** Manifests that are kept in memory. */
  maxManifests?: number
}

/** Milliseconds after which a manifest that could not be had is tried again. */
const RETRY_MS = 2_000
/** Milliseconds that a list waits for manifests; what comes later is in the next one. */
const LIST_MS = 500

function checkManifest(service: RegisteredService, manifest: Manifest): ManifestFunction {
  const { spec, owner, project } = service
  const mismatch = (detail: string) => new PeerHostError('PH_MANIFEST_MISMATCH', { detail })
  if (manifest.owner !== owner || manifest.project !== project) throw mismatch('it is of another owner or project')
  const definition = manifest.functions.find(({ name }) => name === spec.name)
  if (!definition) throw mismatch(`it has no function ${spec.name}`)
  if (definition.codeDigest !== spec.codeDigest) throw mismatch('code digest')
  if (definition.price !== String(spec.price)) throw mismatch('price')
  if (definition.runtimeId !== spec.runtimeId) throw mismatch('runtime')
  if (VERIFICATION_CLASSES[definition.verification] !== spec.class) throw mismatch('verification')
  return definition
}

/**
 * The projects that this gateway serves: the registry's mirror joined with manifests, which are fetched and checked once
 * and kept in memory.
 */
export class ProjectCatalogue {
  readonly #options: ProjectCatalogueOptions & { maxManifests: number }
  /** The newest last: insertion order is age. */
  readonly #manifests = new Map<Hex, Promise<Manifest>>()
  readonly #failedAt = new Map<Hex, number>()
  #projects = new Map<string, Project>()
  /** The latest version of each service that was here at the last look. */
  #versions = new Map<Hex, number>()
  readonly #unsubscribe: () => void

  constructor(options: ProjectCatalogueOptions) {
    this.#options = { maxManifests: 10_000, ...options }
    for (const { serviceId, version } of options.registry.all()) this.#versions.set(serviceId, version)
    this.#unsubscribe = options.registry.onChange(() => {
      this.#projects = new Map()
      void this.warmUp()
    })
  }

  /** The project as it is now, or undefined where nothing of it is registered. */
  find(owner: Hex, name: string): Project | Promise<Project | undefined> | undefined {
    const known = this.#projects.get(`${owner}/${name}`)
    if (known && !(known.problem && Date.now() >= (known.retryAt ?? 0))) return known
    const services = this.#options.registry.project(owner, name)
    return services.length === 0 ? undefined : this.#load(owner, name, services)
  }

  /** All projects, of one owner if that is given. */
  async list(owner?: Hex): Promise<Project[]> {
    const names = new Map<string, { owner: Hex; project: string }>()
    for (const service of this.#options.registry.all()) {
      if (owner && service.owner !== owner) continue
      names.set(`${service.owner}/${service.project}`, service)
    }
    // Anyone can register a project whose manifest nobody has: it must not hold up the list of the others.
    const waited = new AbortController()
    const late = sleep(LIST_MS, undefined, { signal: waited.signal }).catch(() => undefined)
    const projects = await Promise.all(
      [...names.values()].map((each) =>
        Promise.race([
          this.find(each.owner, each.project),
          late.then(() => this.#projects.get(`${each.owner}/${each.project}`)),
        ]),
      ),
    )
    waited.abort()
    return projects.filter((project) => project !== undefined)
  }

  /** Fetches the manifests of what is registered, so that first requests do not wait for them. */
  async warmUp(): Promise<void> {
    for (const service of this.#options.registry.all()) {
      const manifest = await this.#manifest(service.spec.manifestDigest).catch(() => undefined) // told when it is asked for
      if (!manifest || this.#versions.get(service.serviceId) === service.version) continue
      this.#versions.set(service.serviceId, service.version)
      this.#options.onDeployed?.(service)
    }
  }

  close(): void {
    this.#unsubscribe()
  }

  async #load(owner: Hex, name: string, services: RegisteredService[]): Promise<Project> {
    const projects = this.#projects
    const project: Project = { owner, name, functions: [], routes: [] }
    for (const service of services) {
      try {
        const definition = checkManifest(service, await this.#manifest(service.spec.manifestDigest))
        const served: ServedFunction = {
          service,
          definition,
          name: `${service.serviceId}:${service.version}`,
          timeoutMs: definition.timeout * 1000,
        }
        project.functions.push(served)
        for (const route of definition.routes) project.routes.push({ ...route, served })
      } catch (error) {
        project.problem = toPeerHostError(error)
        project.retryAt = Date.now() + RETRY_MS
        const { code, message } = project.problem
        this.#options.log('warning', 'function not served', {
          owner,
          project: name,
          function: service.function,
          code,
          message,
        })
      }
    }
    // The registry may have moved on meanwhile; then this one was for those who asked before.
    projects.set(`${owner}/${name}`, project)
    return project
  }

  #manifest(digest: Hex): Promise<Manifest> {
    const known = this.#manifests.get(digest)
    if (known) return known
    const failedAt = this.#failedAt.get(digest)
    if (failedAt !== undefined && Date.now() - failedAt < RETRY_MS)
      return Promise.reject(new PeerHostError('PH_STORE_NOT_FOUND', { cid: cidOfDigest(digest) }))
    const manifest = retrieve(cidOfDigest(digest), this.#options.sources, { maxBytes: 1024 * 1024, timeoutMs: 10_000 })
      .then(decodeManifest)
      .catch((error) => {
        this.#manifests.delete(digest)
        if (this.#failedAt.size > 1_000) this.#failedAt.clear()
        this.#failedAt.set(digest, Date.now())
        throw error
      })
    this.#manifests.set(digest, manifest)
    if (this.#manifests.size > this.#options.maxManifests)
      this.#manifests.delete(this.#manifests.keys().next().value as Hex)
    return manifest
  }
}
