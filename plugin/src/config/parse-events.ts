import { PeerHostError, type Route } from '@peerhost/protocol'
import { parseHttpApiCors, parseHttpCors } from './parse-cors.ts'
import { parseRoute } from './parse-route.ts'
import { isLoose, type Loose } from './types.ts'
import type { Warnings } from './warnings.ts'

/** A route whose `cors` cannot be finished before every method of its path is known. */
interface RawRoute {
  function: string
  route: Route
  /** `cors` as it stands in the event. */
  cors?: unknown
}

const PROXY = new Set(['lambda-proxy', 'lambda_proxy', 'aws_proxy', 'aws-proxy'])
/** Keys of an event that are read, or whose absence changes nothing. */
const HTTP_KEYS = new Set([
  'path',
  'method',
  'cors',
  'integration',
  'request',
  'authorizer',
  'operationId',
  'documentation',
  'private',
])
const HTTP_API_KEYS = new Set(['path', 'method', 'authorizer', 'documentation'])

function payloadOf(functionName: string, value: unknown): '1.0' | '2.0' {
  const text = String(value)
  if (text === '2.0' || text === '2') return '2.0'
  if (text === '1.0' || text === '1') return '1.0'
  throw new PeerHostError('PH_CONFIG_INVALID', {
    detail: `function "${functionName}": httpApi.payload is "${text}", not 1.0 or 2.0`,
  })
}

/** Without the check that the developer wrote, the endpoint would be open to everybody: that is not for us to decide. */
function refuseAuthorizer(functionName: string, event: Loose): void {
  if (event.authorizer) throw new PeerHostError('PH_CONFIG_AUTHORIZER_UNSUPPORTED', { function: functionName })
}

/** JSON Schemas of an event's `request.schemas` by content type; a text names one of `provider.apiGateway.request.schemas`. */
function schemasOf(functionName: string, request: unknown, provider: Loose): Record<string, unknown> | undefined {
  if (!isLoose(request)) return undefined
  const given = request.schemas ?? request.schema
  if (!isLoose(given)) return undefined
  const shared =
    isLoose(provider.apiGateway) && isLoose(provider.apiGateway.request)
      ? provider.apiGateway.request.schemas
      : undefined
  const schemas: Record<string, unknown> = {}
  for (const [contentType, value] of Object.entries(given)) {
    const named = typeof value === 'string' ? (isLoose(shared) ? shared[value] : undefined) : value
    const schema = isLoose(named) && isLoose(named.schema) ? named.schema : named
    if (!isLoose(schema)) {
      const detail = `function "${functionName}": the request schema for ${contentType} is not a JSON Schema`
      throw new PeerHostError('PH_CONFIG_INVALID', { detail })
    }
    // API Gateway takes draft 4; what the keywords mean is the same, the draft's address is not known to validators
    const { $schema: _, ...rest } = schema
    schemas[contentType.toLowerCase()] = rest
  }
  return Object.keys(schemas).length > 0 ? schemas : undefined
}

function httpRoute(functionName: string, event: unknown, provider: Loose, warnings: Warnings): RawRoute | undefined {
  if (typeof event === 'string')
    return { function: functionName, route: { ...parseRoute(functionName, event), kind: 'http', payload: '1.0' } }
  if (!isLoose(event))
    throw new PeerHostError('PH_CONFIG_ROUTE_INVALID', { function: functionName, route: String(event) })
  const integration = event.integration === undefined ? 'lambda-proxy' : String(event.integration).toLowerCase()
  if (!PROXY.has(integration)) return undefined
  refuseAuthorizer(functionName, event)
  if (event.private)
    warnings.add(
      'event "private"',
      'there are no API keys: anybody may call, a price keeps out who does not pay',
      functionName,
    )
  if (isLoose(event.request) && (event.request.parameters || event.request.parameter)) {
    warnings.add('event "request.parameters"', 'the handler sees requests without them, too', functionName)
  }
  for (const key of Object.keys(event)) if (!HTTP_KEYS.has(key)) warnings.add(`event "${key}"`, undefined, functionName)
  const { method, path } = parseRoute(functionName, event)
  const binary =
    isLoose(provider.apiGateway) && Array.isArray(provider.apiGateway.binaryMediaTypes)
      ? provider.apiGateway.binaryMediaTypes.map(String)
      : undefined
  const route: Route = {
    method,
    path,
    kind: 'http',
    payload: '1.0',
    schemas: schemasOf(functionName, event.request, provider),
    binaryMediaTypes: binary,
  }
  return { function: functionName, route, cors: event.cors }
}

function httpApiRoute(functionName: string, event: unknown, payload: '1.0' | '2.0', warnings: Warnings): RawRoute {
  if (typeof event !== 'string' && !isLoose(event)) {
    throw new PeerHostError('PH_CONFIG_ROUTE_INVALID', { function: functionName, route: String(event) })
  }
  if (isLoose(event)) {
    refuseAuthorizer(functionName, event)
    for (const key of Object.keys(event))
      if (!HTTP_API_KEYS.has(key)) warnings.add(`event "${key}"`, undefined, functionName)
  }
  return { function: functionName, route: { ...parseRoute(functionName, event), kind: 'httpApi', payload } }
}

/** Methods that browsers may ask for on the given routes, with the preflight's own. */
function methodsOf(routes: RawRoute[]): string[] {
  const methods = new Set(['OPTIONS'])
  for (const { route } of routes) {
    for (const method of route.method === 'ANY' ? ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'] : [route.method])
      methods.add(method)
  }
  return [...methods]
}

/** Leaves out what is undefined, so that a manifest is the same before and after JSON. */
const compact = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T

/**
 * The routes of every function's `http` and `httpApi` events. Other kinds are ignored with a warning, unless a function has
 * nothing else.
 *
 * @throws PH_CONFIG_ROUTE_INVALID, PH_CONFIG_EVENT_UNSUPPORTED, PH_CONFIG_AUTHORIZER_UNSUPPORTED, PH_CONFIG_INVALID
 */
export function parseEvents(
  functions: Record<string, Loose>,
  provider: Loose,
  warnings: Warnings,
): Map<string, Route[]> {
  const raw: RawRoute[] = []
  const httpApi = isLoose(provider.httpApi) ? provider.httpApi : {}
  for (const [name, definition] of Object.entries(functions)) {
    const events = Array.isArray(definition.events) ? definition.events : []
    const own = isLoose(definition.httpApi) ? definition.httpApi.payload : undefined
    const payload = payloadOf(name, own ?? httpApi.payload ?? '2.0')
    const unserved: string[] = []
    let served = 0
    for (const event of events) {
      const entries =
        typeof event === 'string' ? [[event, undefined] as const] : isLoose(event) ? Object.entries(event) : []
      for (const [kind, value] of entries) {
        const route =
          kind === 'http'
            ? httpRoute(name, value, provider, warnings)
            : kind === 'httpApi'
              ? httpApiRoute(name, value, payload, warnings)
              : undefined
        if (route) {
          raw.push(route)
          served++
        } else {
          const shown = kind === 'http' ? 'http without proxy integration' : kind
          unserved.push(shown)
          warnings.add(`event kind ${shown}`, 'such events do not reach the function', name)
        }
      }
    }
    if (unserved.length > 0 && served === 0) {
      throw new PeerHostError('PH_CONFIG_EVENT_UNSUPPORTED', {
        function: name,
        events: [...new Set(unserved)].join(', '),
      })
    }
  }

  const apiMethods = methodsOf(raw.filter(({ route }) => route.kind === 'httpApi'))
  const routes = new Map<string, Route[]>(Object.keys(functions).map((name) => [name, []]))
  for (const { function: name, route, cors } of raw) {
    const samePath = raw.filter((other) => other.route.kind === 'http' && other.route.path === route.path)
    const parsed =
      route.kind === 'http' ? parseHttpCors(cors, methodsOf(samePath)) : parseHttpApiCors(httpApi.cors, apiMethods)
    routes.get(name)!.push(compact({ ...route, cors: parsed && compact(parsed) }))
  }
  return routes
}
