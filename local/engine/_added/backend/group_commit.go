// Added by omnibase-infra to the engine that is built here, which calls it instead of its own loop.
// See docs/decisions/0056-the-engines-state-is-written-for-many-at-once.md.

package backend

// groupCommit writes the state for all mutations that wait when a write begins. None is answered before what it
// changed is written, unless it asked for no write, as some do: those are written with the next one or at the end.
func (sm *SnapshotManager) groupCommit(mutations chan mutationRequest, done chan error) {
	unwritten := true
	for {
		select {
		case first := <-mutations:
			group := append([]mutationRequest{first}, waiting(mutations)...)
			write := false
			for _, each := range group {
				write = each.mutator() || write
			}
			var err error
			if write {
				err = sm.saveSnapshot()
			}
			unwritten = !write
			for _, each := range group {
				each.result <- err
			}
		case <-sm.cancel:
			var err error
			if unwritten {
				err = sm.saveSnapshot()
			}
			done <- err
			return
		}
	}
}

// waiting takes the mutations that are there already.
func waiting(mutations chan mutationRequest) []mutationRequest {
	var found []mutationRequest
	for {
		select {
		case next := <-mutations:
			found = append(found, next)
		default:
			return found
		}
	}
}
