import { PeerHostError, RESERVED_PROJECTS } from '@peerhost/protocol'
import { hasStandIn } from './aws-variables.ts'
import { noteIgnoredKeys } from './ignored-keys.ts'
import { parseEvents } from './parse-events.ts'
import {
  checkRuntime,
  parseEgressList,
  parseEnvironment,
  parseNumber,
  parsePrice,
  parseVerification,
  parseWarmup,
} from './parse-function.ts'
import { routeKey } from './parse-route.ts'
import { type FunctionConfig, isLoose, type Loose, type ServiceConfig, type ServiceInput, textList } from './types.ts'
import { Warnings } from './warnings.ts'

/** Seconds and MB, as on AWS with Serverless. */
const DEFAULT_TIMEOUT = 6
const DEFAULT_MEMORY = 1024

/** The project of a stage: the service itself for dev, else with the stage behind it. @throws PH_CONFIG_PROJECT_INVALID, PH_CONFIG_PROJECT_RESERVED */
export function projectName(service: string, stage: string): string {
  const project = stage === 'dev' ? service : `${service}-${stage}`
  if (RESERVED_PROJECTS.has(project.toLowerCase())) throw new PeerHostError('PH_CONFIG_PROJECT_RESERVED', { project })
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(project)) throw new PeerHostError('PH_CONFIG_PROJECT_INVALID', { project })
  return project
}

function refuseDuplicateRoutes(functions: FunctionConfig[]): void {
  const taken = new Map<string, string>()
  for (const { name, routes } of functions) {
    for (const route of routes) {
      const key = routeKey({ ...route, catchAll: route.catchAll || undefined })
      const first = taken.get(key)
      if (first !== undefined) {
        const shown = route.catchAll ? '*' : `${route.method} ${route.path}`
        throw new PeerHostError('PH_CONFIG_ROUTE_DUPLICATE', { route: shown, first, second: name })
      }
      taken.set(key, name)
    }
  }
}

/** What is served must not hold what nobody knows; `environment` has an error of its own. */
function refuseStandIns(functions: FunctionConfig[]): void {
  for (const { name, description: _, ...served } of functions) {
    const text = JSON.stringify(served)
    if (!hasStandIn(text)) continue
    const detail = `function "${name}": ${/\[AWS only: ([^\]]*)\]/.exec(text)?.[1]} has no value here, write one or a fallback`
    throw new PeerHostError('PH_CONFIG_INVALID', { detail })
  }
}

/** Says once what becomes public by deploying. */
function notePublic(functions: FunctionConfig[], warnings: Warnings): void {
  const variables = new Set(functions.flatMap(({ environment }) => Object.keys(environment)))
  if (variables.size > 0) {
    warnings.say(
      `Environment variables are public, the manifest lies on IPFS; put no secret in them: ${[...variables].join(', ')}`,
    )
  }
  const open = functions.filter(({ verification }) => verification === 'public').map(({ name }) => name)
  if (open.length > 0)
    warnings.say(`Requests to functions with \`verification: public\` are published: ${open.join(', ')}`)
  for (const { name, publicHeaders, verification } of functions) {
    if (publicHeaders.length > 0 && verification !== 'public') {
      warnings.add('function key "publicHeaders"', 'it has a meaning with `verification: public` only', name)
    }
  }
}

function readFunction(
  name: string,
  definition: Loose,
  { provider, stage }: Pick<ServiceInput, 'provider' | 'stage'>,
  routes: FunctionConfig['routes'],
  warnings: Warnings,
): FunctionConfig {
  checkRuntime(name, definition, provider, warnings)
  const { handler } = definition
  if (typeof handler !== 'string' || handler === '') {
    throw new PeerHostError('PH_CONFIG_HANDLER_NOT_FOUND', { function: name, handler: String(handler ?? '') })
  }
  const egress = parseEgressList(definition.egress)
  const warmup = parseWarmup(name, definition.warmup)
  return {
    name,
    handler,
    routes,
    price: parsePrice(name, definition.price),
    timeout: parseNumber(name, 'timeout', definition.timeout ?? provider.timeout ?? DEFAULT_TIMEOUT, 1, 900),
    memorySize: parseNumber(
      name,
      'memorySize',
      definition.memorySize ?? provider.memorySize ?? DEFAULT_MEMORY,
      64,
      10240,
    ),
    egress,
    verification: parseVerification(name, definition.verification, egress),
    publicHeaders: textList(definition.publicHeaders).map((header) => header.toLowerCase()),
    environment: parseEnvironment(name, definition, provider),
    // only events of kind http name their stage
    ...(stage !== 'dev' && routes.some(({ kind }) => kind === 'http') && { stage }),
    ...(warmup && { warmup }),
    ...(typeof definition.description === 'string' && { description: definition.description.slice(0, 1024) }),
  }
}

/**
 * Reads what deploy needs from serverless.yml: routes, prices, limits, classes. Whatever has a meaning on AWS only is ignored
 * with one warning a kind; what would break the function is an error.
 *
 * @throws PH_CONFIG_*
 */
export function readService({ service, stage, provider, functions, topLevel }: ServiceInput): ServiceConfig {
  const warnings = new Warnings()
  const project = projectName(service, stage)
  const routes = parseEvents(functions, provider, warnings)
  const read = Object.entries(functions).map(([name, definition]) =>
    readFunction(name, isLoose(definition) ? definition : {}, { provider, stage }, routes.get(name)!, warnings),
  )
  refuseStandIns(read)
  refuseDuplicateRoutes(read)
  noteIgnoredKeys(provider, functions, topLevel, warnings)
  notePublic(read, warnings)
  const network = typeof provider.network === 'string' ? provider.network : undefined
  return { project, stage, network, functions: read, warnings: warnings.lines() }
}
