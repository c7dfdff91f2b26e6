import { matchRoute } from '@peerhost/protocol'
import type { Project, ServedFunction, ServedRoute } from './project-catalogue.ts'

/** What a path of a project leads to. */
export interface ResolvedCall {
  served: ServedFunction
  /** Absent where the function is called by its name. */
  route?: ServedRoute
}

/**
 * Finds the function behind a path: by the project's routes, and where none matches by the function's name
 * (`/<project>/<function>`).
 */
export function resolveCall({ routes, functions }: Project, method: string, path: string): ResolvedCall | undefined {
  const match = matchRoute(routes, method, path)
  if (match) return { served: match.route.served, route: match.route }
  const name = path.endsWith('/') ? path.slice(1, -1) : path.slice(1)
  const served = functions.find(({ definition }) => definition.name === name)
  return served && { served }
}
