import type { Route } from '../manifest/types.ts'

export interface RouteMatch<R extends Route = Route> {
  route: R
  /** Values as in the path, percent-encoding kept; a greedy one holds its slashes. */
  pathParameters: Record<string, string>
}

/** Segments of a path; a trailing slash is not a segment, as at API Gateway. */
function segmentsOf(path: string): string[] {
  const segments = path.split('/').slice(1)
  if (segments.at(-1) === '') segments.pop()
  return segments
}

const GREEDY = /^\{([^}]+)\+\}$/
const PARAMETER = /^\{([^}]+)\}$/

function matchPath(pattern: string, segments: string[]): Record<string, string> | undefined {
  const parts = segmentsOf(pattern)
  const parameters: Record<string, string> = {}
  for (let i = 0; i < parts.length; i++) {
    const greedy = GREEDY.exec(parts[i]!)?.[1]
    if (greedy !== undefined) {
      if (i >= segments.length) return undefined
      parameters[greedy] = segments.slice(i).join('/')
      return parameters
    }
    const segment = segments[i]
    if (segment === undefined) return undefined
    const name = PARAMETER.exec(parts[i]!)?.[1]
    if (name !== undefined) parameters[name] = segment
    else if (parts[i] !== segment) return undefined
  }
  return parts.length === segments.length ? parameters : undefined
}

/** 2 for a literal segment, 1 for a parameter, 0 for a greedy one: the earlier segment decides. */
const specificity = (route: Route): string =>
  route.catchAll
    ? ''
    : segmentsOf(route.path)
        .map((part) => (GREEDY.test(part) ? '0' : PARAMETER.test(part) ? '1' : '2'))
        .join('')

function compare(a: Route, b: Route): number {
  if (!!a.catchAll !== !!b.catchAll) return a.catchAll ? 1 : -1
  const left = specificity(a),
    right = specificity(b)
  if (left !== right) return left > right ? -1 : 1
  return Number(a.method === 'ANY') - Number(b.method === 'ANY')
}

/**
 * Finds the route of a request as API Gateway does: literal before parameter before greedy, a verb before ANY, the
 * catch-all last. Gateway and workers call the same function, so both see the same event.
 *
 * @param path starts with the slash after the project, without query
 */
export function matchRoute<R extends Route>(
  routes: readonly R[],
  method: string,
  path: string,
): RouteMatch<R> | undefined {
  const segments = segmentsOf(path)
  let best: RouteMatch<R> | undefined
  for (const route of routes) {
    if (route.method !== 'ANY' && route.method !== method) continue
    if (best && compare(best.route, route) <= 0) continue
    const pathParameters = route.catchAll ? {} : matchPath(route.path, segments)
    if (pathParameters) best = { route, pathParameters }
  }
  return best
}
