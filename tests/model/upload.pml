/* SPDX-License-Identifier: PostgreSQL */
/* The life of one tracker, in the words of supervisor/states.h (ST_, here without the prefix),
 * db/moves.h (MOVE_) and db/sql/migrations/001.sql (gate, pop), for Spin. One process chooses among
 * guarded steps, each atomic: what one statement, one message or one death does. README.md says what
 * is left out. -DM_...: mutants. -DN...: how often each thing may happen. */
#ifndef NSUP
#define NSUP 2 /* supervisors, each an owner */
#endif
#ifndef NCMD
#define NCMD 0 /* commands of users, after the first upload */
#endif
#ifndef NCRASH
#define NCRASH 0 /* supervisors and workers that die, rollbacks that do not answer */
#endif
#ifndef NLOST
#define NLOST 0 /* connections of a supervisor lost with a statement in flight, or its answer */
#endif
#ifndef NLANE
#define NLANE 0 /* lanes lost while their worker lives */
#endif
#ifndef NSERVER
#define NSERVER 0 /* crashes of the database server */
#endif
#ifndef NTERM
#define NTERM 0 /* blockers of a fence that are terminated */
#endif
#ifndef NFAIL
#define NFAIL 0 /* errors of the upload's own: reject_limit, rights, retry_limit */
#endif
#ifndef NSHUT
#define NSHUT 0 /* SIGTERM of a supervisor */
#endif
#ifndef NGROW
#define NGROW 0 /* the file grows between two workers */
#endif
#ifndef NCHANGE
#define NCHANGE 0 /* another file stands in its place */
#endif
#ifndef NEAT
#define NEAT 0 /* chunks of which a trigger eats a row */
#endif
#ifndef CHUNKS
#define CHUNKS 3 /* of the file as it is in the end */
#endif
/* KEYS: the target has a lock that every COPY needs until its COMMIT (unique key, counting trigger).
 * LOSTHOST: the host of owner 0 never comes back after its first crash. */

/* file_tracker.status */
#define INITIALIZING 1
#define PROCESSING 2
#define PROCESSED 3
#define STOPPED 4
#define KILLED 5
#define FAILED 6
/* file_tracker.wanted */
#define STOP 1
#define RESTART 2
/* commands (STOP and RESTART as above) */
#define UPLOAD 3
#define KILL 4

/* a supervisor's state for the tracker; at rest the row decides, so REST stands for them all */
#define DEAD 0
#define RECOVERING 1
#define REST 2
#define READING 3
#define QUEUEING 4
#define QUEUED 5
#define STARTING 6
#define RUNNING 7
#define RETRYING 8
#define FENCING 9
#define FINISHING 10
#define STOPPING 11
#define ROLLING_BACK 12
#define EMPTYING 13
#define CLEARING 14
#define RESTARTING 15
#define RELAUNCHING 16
#define KILL_FENCING 17
#define ENDING 18
#define INTERRUPTING 19
#define FAILING 20
#define RETURNING 21
#define RECLEARING 22

#define MOVE_QUEUE 1
#define MOVE_START 2
#define MOVE_FENCE 3
#define MOVE_FINISH 4
#define MOVE_STOP 5
#define MOVE_RESTART 6
#define MOVE_EMPTY 7
#define MOVE_RESTARTED 8
#define MOVE_KILL 9
#define MOVE_INTERRUPT 10
#define MOVE_FAIL 11
#define MOVE_RETURN 12
#define FENCE_SET 13 /* recovery's, the only one without comparison */

/* a worker: at work, or its last message (outcome) on the way */
#define W_LOAD_START 1
#define W_ROLL_START 2
#define W_LOAD 3
#define W_ROLL 4
#define LOADED 5
#define ROLLED_BACK 6
#define FINISHED 7
#define WORKER_FAILED 8
#define FENCED 9
#define TROUBLE 10
#define CHANGED 11
#define CRASHED 12
/* what a worker is told */
#define TELL_ROLLBACK 1
#define TELL_FINISH 2

/* a lane, with the backend at its other end */
#define L_FREE 0
#define L_COPY 1    /* wants the target's key */
#define L_COPIED 2  /* transaction open, waits for its predecessor */
#define L_SENT 3    /* SELECT gate(...); COMMIT is at the server */
#define L_GATED 4   /* the gate has passed: the row is locked FOR SHARE, the checkpoint inserted */
#define L_IN 5      /* committed, the answer on the way */
#define L_REFUSED 6 /* by the gate or pop */
#define L_LOST 7    /* terminated */
#define P_SENT 8    /* SELECT pop(...); COMMIT is at the server */
#define P_HELD 9    /* the row is locked FOR NO KEY UPDATE, the chain read */
#define P_DONE 10

/* ---- the database, as committed ---- */
byte status = INITIALIZING, epoch = 1, owner, wanted;
bit mark;
byte checkpoint[CHUNKS], rows[CHUNKS]; /* how many of each chunk: 0 or 1 */
byte final;                            /* 0: no checkpoint is final, else its chunk's number */
byte late[CHUNKS], lates;              /* chunks committed asynchronously, not yet on disk */
/* ---- the file ---- */
#if NGROW
byte last = CHUNKS - 2; /* its last chunk, from 0 */
#else
#define last (CHUNKS - 1)
#endif
bit changed; /* its beginning is no longer what the checkpoints say */

/* ---- lanes 2w, 2w+1 of worker slot w; a zombie's client is gone ---- */
byte lane[4], lane_chunk[4], lane_epoch[4];
bit lane_owner[4], zombie[4], lane_final[4], eaten[4];
byte key; /* 0: free, else the lane that holds the target's key + 1 */
/* ---- workers ---- */
byte work[2], work_epoch[2], work_next[2], work_in[2], told[2], told_epoch[2];
bit work_owner[2], orphaned[2], ending[2], alone[2];
/* ---- supervisors ---- */
byte state[2], command[2], row_epoch[2], worker[2], prior[2], after_fence[2];
bit applied[2], crashed[2], shut[2];
/* a statement under way: sent (1), done (2), missed (3); and one whose connection is gone */
byte sent[2], stage[2], cas[2], new_epoch[2], saw_wanted[2], snapshot[2], with[2];
byte stray[2], stray_cas[2], stray_snapshot[2], stray_with[2];
/* ---- what has happened ---- */
byte commands, crashes, losses, lane_losses, server_crashes, terminated, fails, shuts, grown, changes,
    eats;
/* ---- ghosts: what was promised ---- */
byte owed;      /* a durable stop or restart */
byte ended_by;  /* KILL, RETURN's or FAIL's move: it must not go on by itself */
byte promised, promised_point; /* the status that was acknowledged last */
#ifdef M_STALE_POINT
byte stale[2];
#endif
#ifdef LOSTHOST
bit remedy; /* the last command was a stop or kill, given to the living supervisor */
#define REMEDY(s, yes) remedy = (s == 1 && state[0] == DEAD && (yes))
#else
#define REMEDY(s, yes) skip
#endif
hidden byte v, vw, done_, point, newest;

#define POINT (checkpoint[0] + checkpoint[1] + checkpoint[2])
#define UNFINISHED (wanted || status == INITIALIZING || status == PROCESSING)

/* ---- the musts ---- */
inline musts()
{
    assert(rows[0] <= 1 && rows[1] <= 1 && rows[2] <= 1); /* 1: none twice */
    assert(rows[0] == checkpoint[0] && rows[1] == checkpoint[1] && rows[2] == checkpoint[2]);
    assert(!(checkpoint[1] && !checkpoint[0]) && !(checkpoint[2] && !checkpoint[1])); /* 1: chain */
    assert(!final || final == POINT);                          /* 1: nothing behind the final one */
    assert(status != PROCESSED || (final && final == POINT)); /* 2 and 5 */
    assert(status != STOPPED || POINT == 0);                   /* 2 */
    /* 3: what was acknowledged stays until a later command */
    assert(!promised || status == promised);
    assert(promised != KILLED || (POINT == promised_point && !mark));
    assert(promised != FAILED || POINT == promised_point)
}

/* ---- locks of the tracker's row ---- */
#define SHARED(b) (lane[b] == L_GATED)
#ifdef M_POP_NOLOCK
#define EXCLUSIVE(b) false
#else
#define EXCLUSIVE(b) (lane[b] == P_HELD)
#endif
#define ANY_SHARED (SHARED(0) || SHARED(1) || SHARED(2) || SHARED(3))
#define ANY_EXCLUSIVE (EXCLUSIVE(0) || EXCLUSIVE(1) || EXCLUSIVE(2) || EXCLUSIVE(3))
#define UNLOCKED (!ANY_SHARED && !ANY_EXCLUSIVE)
#define BLOCKS(b) (SHARED(b) || EXCLUSIVE(b))
#define SLOT(w) (work[w] == 0 && lane[2 * (w)] == L_FREE && lane[2 * (w) + 1] == L_FREE)
#define ANY_SLOT (SLOT(0) || SLOT(1))

/* epoch and token: a value that nobody holds */
inline renew()
{
    v = 1;
    do
    :: (v == epoch || v == row_epoch[0] || v == row_epoch[1] || v == cas[0] || v == cas[1] ||
        v == new_epoch[0] || v == new_epoch[1] || v == stray_cas[0] || v == stray_cas[1] ||
        v == work_epoch[0] || v == work_epoch[1] || v == told_epoch[0] || v == told_epoch[1] ||
        v == lane_epoch[0] || v == lane_epoch[1] || v == lane_epoch[2] || v == lane_epoch[3]) ->
        v++
    :: else -> break
    od;
    epoch = v
}

inline on_disk() { lates = 0; late[0] = 0; late[1] = 0; late[2] = 0 }

/* ---- lanes and workers ---- */
inline lane_free(b)
{
    if :: key == b + 1 -> key = 0 :: else fi;
    lane[b] = L_FREE; lane_chunk[b] = 0; lane_epoch[b] = 0; lane_owner[b] = 0; zombie[b] = 0;
    lane_final[b] = 0; eaten[b] = 0
}
inline lane_orphan(b) /* its client is gone: what is at the server goes on */
{
    if
    :: lane[b] == L_SENT || lane[b] == L_GATED || lane[b] == P_SENT || lane[b] == P_HELD ->
        zombie[b] = 1
    :: else -> lane_free(b)
    fi
}
inline work_end(w, outcome)
{
    lane_orphan(2 * w);
    lane_orphan(2 * w + 1);
    work_next[w] = 0; work_in[w] = 0; told[w] = 0; told_epoch[w] = 0; ending[w] = 0; alone[w] = 0;
    if
    :: outcome == 0 || orphaned[w] ->
        work[w] = 0; work_epoch[w] = 0; work_owner[w] = 0; orphaned[w] = 0
    :: else -> work[w] = outcome
    fi
}
/* SIGKILL, and its end is seen */
inline work_kill(s)
{
    if
    :: worker[s] -> vw = worker[s] - 1; work_end(vw, 0); worker[s] = 0
    :: else
    fi
}
inline work_start(s, mode)
{
    assert(!worker[s]); /* an upload has one worker in memory */
    vw = (SLOT(0) -> 0 : 1);
    work[vw] = mode; work_epoch[vw] = row_epoch[s]; work_owner[vw] = s;
    work_next[vw] = (mode == W_LOAD_START -> POINT : 0);
    work_in[vw] = work_next[vw];
    worker[s] = vw + 1
}
inline roll_back(s) /* ACT_ROLL_BACK */
{
    if
    :: worker[s] && work[worker[s] - 1] <= W_ROLL ->
        told[worker[s] - 1] = TELL_ROLLBACK; told_epoch[worker[s] - 1] = row_epoch[s]
    :: worker[s] && work[worker[s] - 1] > W_ROLL -> skip /* its last message is on the way */
    :: else -> work_start(s, W_ROLL_START)
    fi
}

/* ---- statements ---- */
inline forget(s)
{
    sent[s] = 0; stage[s] = 0; cas[s] = 0; new_epoch[s] = 0; saw_wanted[s] = 0; snapshot[s] = 0;
    with[s] = 0
}
inline forget_stray(s) { stray[s] = 0; stray_cas[s] = 0; stray_snapshot[s] = 0; stray_with[s] = 0 }
inline save_with(s, next, move, what)
{
    forget(s);
    state[s] = next; sent[s] = move; stage[s] = 1; cas[s] = row_epoch[s]; with[s] = what
}
#define save(s, next, move) save_with(s, next, move, 0)
inline stray_away(s) /* nobody waits for the statement any more; it may be done yet, or not */
{
    if
    :: stage[s] == 1 && stray[s] == 0 ->
        stray[s] = sent[s]; stray_cas[s] = cas[s]; stray_snapshot[s] = snapshot[s];
        stray_with[s] = with[s]
    :: else
    fi
}
inline missed(s) /* EV_MISSED */
{
    if
    :: sent[s] == FENCE_SET -> save(s, RECOVERING, FENCE_SET)
    :: else ->
        if
        :: state[s] == INTERRUPTING -> after_fence[s] = CRASHED
        :: state[s] == FAILING -> after_fence[s] = WORKER_FAILED
        :: state[s] == RETURNING -> after_fence[s] = CHANGED
        :: else
        fi;
        applied[s] = 0; forget(s); state[s] = READING
    fi
}
inline rest(s) /* ACT_REST: who waits is answered, the upload may be forgotten */
{
    forget(s);
    state[s] = REST; row_epoch[s] = 0; after_fence[s] = 0; crashed[s] = 0; prior[s] = 0;
    if :: applied[s] -> command[s] = 0; applied[s] = 0 :: else fi
}
inline answered(s) { command[s] = (applied[s] -> 0 : command[s]); applied[s] = 0 }

/* An answer is a promise unless a command that was given before it has superseded or may still
 * supersede it; PROCESSED is one in any case. */
#define CALM_COMMAND(s) (command[s] == 0 || command[s] == KILL)
#define CALM_STRAY(s)                                                                              \
    (!(stray_cas[s] == epoch && (stray[s] == MOVE_STOP || stray[s] == MOVE_RESTART ||              \
                                 stray[s] == MOVE_QUEUE && stray_with[s] == 0)))
#define CALM (CALM_COMMAND(0) && CALM_COMMAND(1) && CALM_STRAY(0) && CALM_STRAY(1))
inline promise(what, at)
{
    if
    :: what == PROCESSED || CALM && newest == epoch ->
        promised = what; promised_point = (what == KILLED || what == FAILED -> at : 0); musts()
    :: else
    fi
}

#ifdef M_NOCAS
#define MATCHES(e) true
#else
#define MATCHES(e) ((e) == epoch)
#endif
#if defined(M_FENCE_NONE) || defined(M_FENCE_READ)
#define RENEW_FENCE skip
#else
#define RENEW_FENCE renew()
#endif
#ifdef M_STOP_NOEPOCH
#define RENEW_STOP skip
#else
#define RENEW_STOP renew()
#endif
#ifdef M_FINISH_NOEPOCH
#define RENEW_FINISH skip
#else
#define RENEW_FINISH renew()
#endif
#ifdef M_RESTARTED_EARLY
#define IS_EMPTY true
#else
#define IS_EMPTY (POINT == 0)
#endif
#ifdef M_EMPTY_ALWAYS
#define IS_EMPTY_STOP true
#else
#define IS_EMPTY_STOP (POINT == 0)
#endif
#ifdef M_FINISH_ALWAYS
#define IS_FINAL true
#else
#define IS_FINAL (final != 0 && !wanted)
#endif
/* What a move requires is read in the snapshot that the statement began with, before any wait. */
#define REQUIRES(m) (m == MOVE_FINISH || m == MOVE_EMPTY || m == MOVE_RESTARTED)
#define SHOWS(m)                                                                                   \
    (m == MOVE_FINISH && IS_FINAL || m == MOVE_EMPTY && IS_EMPTY_STOP ||                           \
             m == MOVE_RESTARTED && IS_EMPTY                                                       \
         -> 1                                                                                      \
         : 2)
#ifdef M_FENCE_READ
#define MAY_RUN(m)                                                                                 \
    (UNLOCKED || m == MOVE_START || m == MOVE_FENCE || m == MOVE_KILL || m == MOVE_INTERRUPT ||    \
     m == FENCE_SET)
#else
#define MAY_RUN(m) UNLOCKED
#endif

/* One move as the server does it. done_: a row was changed. */
inline run_move(s, m, e, snap, what)
{
    done_ = 0;
    if
    :: m == FENCE_SET ->
        if
        :: owner == s && UNFINISHED -> done_ = 1; RENEW_FENCE
        :: else
        fi
    :: m != FENCE_SET && MATCHES(e) && snap != 2 ->
        done_ = 1;
        if
        :: m == MOVE_QUEUE ->
            assert(!owed);                /* 3: a durable stop is not overtaken */
            assert(!(what && ended_by)); /* what a user or an error ended does not go on by itself */
            renew(); status = INITIALIZING; wanted = 0; mark = 0; owner = s; ended_by = 0
        :: m == MOVE_START -> assert(!owed); RENEW_FENCE; status = PROCESSING; mark = 0; owner = s
        :: m == MOVE_FENCE -> RENEW_FENCE
        :: m == MOVE_FINISH ->
            assert(!owed);
            RENEW_FINISH; status = PROCESSED; wanted = 0; mark = 0; ended_by = 0
        :: m == MOVE_STOP ->
            RENEW_STOP; status = PROCESSING; wanted = STOP; mark = 0; owed = STOP; ended_by = 0;
#ifndef M_STOP_NOOWNER
            owner = s
#endif
        :: m == MOVE_RESTART ->
            assert(owed != STOP);
            RENEW_STOP; status = PROCESSING; wanted = RESTART; mark = 0; owner = s; owed = RESTART;
            ended_by = 0
        :: m == MOVE_EMPTY ->
            assert(owed == STOP); renew(); status = STOPPED; wanted = 0; mark = 0; owed = 0
        :: m == MOVE_RESTARTED ->
            assert(owed == RESTART && POINT == 0); /* 3: a durable restart begins anew */
            renew(); status = INITIALIZING; wanted = 0; mark = 0; owed = 0
        :: m == MOVE_KILL ->
#ifndef M_KILL_KEEPS_WANTED
            wanted = 0;
#endif
            RENEW_FENCE; status = KILLED; mark = 0; owed = 0; ended_by = MOVE_KILL
        :: m == MOVE_INTERRUPT ->
            assert(!owed && !ended_by);
            RENEW_FENCE; status = KILLED; wanted = 0;
#ifndef M_INTERRUPT_NOMARK
            mark = 1
#endif
        :: m == MOVE_FAIL ->
            assert(!owed); renew(); status = FAILED; wanted = 0; mark = 0; ended_by = MOVE_FAIL
        :: m == MOVE_RETURN ->
            assert(!owed); renew(); status = what; wanted = 0; ended_by = MOVE_RETURN;
#ifdef M_RETURN_KEEPS_MARK
            mark = (what == KILLED)
#else
            mark = 0
#endif
        fi
    :: else
    fi;
    if :: done_ -> on_disk(); musts() :: else fi
}

/* ---- a supervisor ---- */
#ifdef M_NOADOPT
#define ADOPT(s) rest(s)
#else
#define ADOPT(s) save(s, FENCING, MOVE_FENCE)
#endif
#ifdef M_REC_NOWANTED
#define SAW(s) (sent[s] == FENCE_SET -> 0 : saw_wanted[s])
#else
#define SAW(s) saw_wanted[s]
#endif
#ifdef M_STALE_POINT
#define LOOK(s) stale[s] = POINT
#define KILL_POINT(s) stale[s]
#else
#define LOOK(s) skip
#define KILL_POINT(s) point
#endif
#ifdef M_START_IGNORES_FINAL
#define START_FINAL false
#else
#define START_FINAL final
#endif
#ifdef M_RETURN_TO_STOPPED
#define RETURN_TO(s) (prior[s] == STOPPED -> STOPPED : (prior[s] == FAILED -> FAILED : KILLED))
#else
#define RETURN_TO(s) (prior[s] == FAILED -> FAILED : KILLED)
#endif
#ifdef M_RESUME_ONCE /* the crash is forgotten before QUEUE is durable */
#define RESUMING(s) crashed[s] = 0
#else
#define RESUMING(s) skip
#endif
inline resume(s) /* INTERRUPTED: EV_RESUME, or EV_GIVE_UP */
{
    if
    :: crashed[s] && !shut[s] ->
        prior[s] = KILLED; RESUMING(s); save_with(s, QUEUEING, MOVE_QUEUE, 1)
    :: else -> rest(s)
    fi
}
/* what a fence shows when a stop or restart is wanted */
inline go_back(s, w)
{
    if
    :: POINT == 0 && !worker[s] && w == STOP -> save(s, EMPTYING, MOVE_EMPTY)
    :: POINT == 0 && !worker[s] && w == RESTART -> prior[s] = STOPPED; save(s, RESTARTING, MOVE_RESTARTED)
    :: else ->
        forget(s);
        state[s] = (w == STOP -> ROLLING_BACK : CLEARING);
        roll_back(s)
    fi
}
#ifdef M_RESTARTED_EARLY
#define GO_BACK(s, w)                                                                              \
    if                                                                                             \
    :: w == RESTART -> work_kill(s); save(s, RESTARTING, MOVE_RESTARTED)                           \
    :: else -> go_back(s, w)                                                                       \
    fi
#else
#define GO_BACK(s, w) go_back(s, w)
#endif
#ifdef M_KEEPS_WORKER /* fenced after a stop that was lost, and queued */
#define ENQUEUE_WORKER(s) skip
#else
#define ENQUEUE_WORKER(s) work_kill(s)
#endif
inline enqueue(s) { ENQUEUE_WORKER(s); forget(s); state[s] = QUEUED; crashed[s] = 0 }

/* The move is durable; the recovery point is read in a statement of its own: EV_SAVED... */
inline saved(s)
{
    row_epoch[s] = new_epoch[s];
    newest = new_epoch[s];
    point = POINT;
    if
    :: sent[s] == MOVE_QUEUE || sent[s] == MOVE_RESTARTED -> answered(s); enqueue(s)
    :: sent[s] == MOVE_START ->
        if
        :: START_FINAL -> save(s, FINISHING, MOVE_FINISH)
        :: else -> forget(s); state[s] = RUNNING; work_start(s, W_LOAD_START)
        fi
    :: sent[s] == MOVE_FENCE || sent[s] == FENCE_SET || sent[s] == MOVE_STOP ||
       sent[s] == MOVE_RESTART ->
        if :: sent[s] == MOVE_STOP || sent[s] == MOVE_RESTART -> answered(s) :: else fi;
        if
        :: SAW(s) == STOP -> GO_BACK(s, STOP)
        :: SAW(s) == RESTART -> GO_BACK(s, RESTART)
        :: SAW(s) == 0 && final -> save(s, FINISHING, MOVE_FINISH)
        :: SAW(s) == 0 && !final && sent[s] == FENCE_SET ->
            crashed[s] = 1; save(s, INTERRUPTING, MOVE_INTERRUPT)
        :: SAW(s) == 0 && !final && sent[s] != FENCE_SET ->
            if
            :: after_fence[s] == CRASHED -> save(s, INTERRUPTING, MOVE_INTERRUPT)
            :: after_fence[s] == WORKER_FAILED -> save(s, FAILING, MOVE_FAIL)
            :: after_fence[s] == CHANGED -> save_with(s, RETURNING, MOVE_RETURN, RETURN_TO(s))
            :: else -> enqueue(s)
            fi;
            after_fence[s] = 0
        fi
    :: sent[s] == MOVE_FINISH -> rest(s); promise(PROCESSED, 0)
    :: sent[s] == MOVE_EMPTY -> rest(s); promise(STOPPED, 0)
    :: sent[s] == MOVE_KILL ->
        if
        :: final -> save(s, FINISHING, MOVE_FINISH)
        :: else -> rest(s); promise(KILLED, KILL_POINT(s))
        fi
    :: sent[s] == MOVE_INTERRUPT ->
        if
        :: final -> save(s, FINISHING, MOVE_FINISH)
        :: else -> forget(s); after_fence[s] = 0; resume(s)
        fi
    :: sent[s] == MOVE_FAIL ->
        if
        :: final -> save(s, FINISHING, MOVE_FINISH)
        :: else -> rest(s); promise(FAILED, point)
        fi
    :: sent[s] == MOVE_RETURN -> rest(s)
    fi
}
inline read_row(s) /* READING: EV_ROW_... */
{
    row_epoch[s] = epoch;
    prior[s] = status;
    if
    :: UNFINISHED && owner == s -> ADOPT(s)
    :: !UNFINISHED && status == KILLED && mark && owner == s -> after_fence[s] = 0; resume(s)
    :: else -> rest(s)
    fi
}
#ifdef M_KILL_NOOP
#define KILL_FENCES false
#else
#define KILL_FENCES (mark)
#endif
#ifdef M_STOP_JOINS
#define TAKE_OVER(s) command[s] = 0
#else
#define TAKE_OVER(s) applied[s] = 1; save(s, STOPPING, MOVE_STOP)
#endif
inline command_at_rest(s) /* the row was just read */
{
    newest = epoch;
    row_epoch[s] = epoch;
    prior[s] = status;
    if
    :: UNFINISHED && owner == s -> ADOPT(s);
#ifdef M_NOADOPT
        command[s] = 0
#endif
    :: UNFINISHED && owner != s ->
        if
        :: command[s] == KILL -> applied[s] = 1; LOOK(s); save(s, KILL_FENCING, MOVE_KILL)
        :: command[s] == STOP && wanted == STOP -> TAKE_OVER(s)
        :: command[s] == STOP && wanted != STOP -> applied[s] = 1; save(s, STOPPING, MOVE_STOP)
        :: else -> command[s] = 0; rest(s)
        fi
    :: !UNFINISHED && status == PROCESSED -> command[s] = 0; rest(s)
    :: !UNFINISHED && status == STOPPED ->
        if
        :: command[s] == UPLOAD || command[s] == RESTART ->
            applied[s] = 1; save(s, QUEUEING, MOVE_QUEUE)
        :: command[s] == STOP -> command[s] = 0; rest(s); promise(STOPPED, 0)
        :: else -> command[s] = 0; rest(s)
        fi
    :: !UNFINISHED && (status == KILLED || status == FAILED) ->
        if
        :: command[s] == UPLOAD -> applied[s] = 1; save(s, QUEUEING, MOVE_QUEUE)
        :: command[s] == RESTART -> applied[s] = 1; save(s, STOPPING, MOVE_RESTART)
        :: command[s] == STOP -> applied[s] = 1; save(s, STOPPING, MOVE_STOP)
        :: command[s] == KILL && final -> applied[s] = 1; save(s, FINISHING, MOVE_FINISH)
        :: command[s] == KILL && !final && KILL_FENCES ->
            applied[s] = 1; LOOK(s); save(s, KILL_FENCING, MOVE_KILL)
        :: command[s] == KILL && !final && !(KILL_FENCES) ->
            command[s] = 0; rest(s); promise(status, POINT)
        fi
    fi
}
inline command_while_open(s)
{
    if
    :: command[s] == KILL ->
        work_kill(s); applied[s] = 1; LOOK(s); save(s, KILL_FENCING, MOVE_KILL)
    :: command[s] == STOP && (state[s] == ROLLING_BACK || state[s] == RELAUNCHING) ->
        command[s] = 0 /* joins it */
    :: command[s] == STOP && state[s] != ROLLING_BACK && state[s] != RELAUNCHING ->
        if :: state[s] == CLEARING -> work_kill(s) :: else fi;
        applied[s] = 1; save(s, STOPPING, MOVE_STOP)
    :: command[s] == RESTART && (state[s] == QUEUED || state[s] == RUNNING || state[s] == RETRYING) ->
        applied[s] = 1; save(s, STOPPING, MOVE_RESTART)
    :: else -> command[s] = 0 /* the same tracker, or refused */
    fi
}
#define BETWEEN(s) (state[s] == ROLLING_BACK -> RELAUNCHING : RECLEARING)
#define BACKING_OFF(s) (state[s] == RELAUNCHING || state[s] == RECLEARING)
inline worker_ended(s)
{
    v = work[worker[s] - 1];
    vw = worker[s] - 1;
    work_end(vw, 0);
    worker[s] = 0;
    if
    :: state[s] == RUNNING || state[s] == ENDING ->
        if
        :: v == LOADED -> save(s, FINISHING, MOVE_FINISH)
        :: v == WORKER_FAILED -> save(s, FAILING, MOVE_FAIL)
        :: v == FENCED -> state[s] = READING
        :: v == CHANGED -> save_with(s, RETURNING, MOVE_RETURN, RETURN_TO(s))
        :: v == TROUBLE && state[s] == RUNNING -> state[s] = RETRYING
        :: v == CRASHED || v == FINISHED || v == TROUBLE && state[s] == ENDING ->
            crashed[s] = !shut[s]; save(s, INTERRUPTING, MOVE_INTERRUPT)
        :: v == ROLLED_BACK -> state[s] = READING
        fi
    :: state[s] == ROLLING_BACK || state[s] == CLEARING ->
        if
        :: v == ROLLED_BACK && state[s] == ROLLING_BACK -> save(s, EMPTYING, MOVE_EMPTY)
        :: v == ROLLED_BACK && state[s] == CLEARING ->
            prior[s] = STOPPED; save(s, RESTARTING, MOVE_RESTARTED)
        :: v == LOADED || v == FINISHED || v == CHANGED -> save(s, FENCING, MOVE_FENCE)
        :: v == WORKER_FAILED || v == TROUBLE || v == CRASHED ->
            state[s] = BETWEEN(s)
        :: v == FENCED -> state[s] = READING
        fi
    :: state[s] == STOPPING || state[s] == REST -> skip
    :: else -> /* not expected: the row is read again */
        if :: sent[s] -> stray_away(s); missed(s) :: else -> state[s] = READING fi
    fi
}
inline supervisor_dies(s)
{
    if :: s == 1 -> REMEDY(s, false) :: else fi;
    if :: sent[s] -> stray_away(s) :: else fi;
    if
    :: worker[s] ->
        vw = worker[s] - 1;
        if :: work[vw] > W_ROLL -> work_end(vw, 0) :: else -> orphaned[vw] = 1 fi;
        worker[s] = 0
    :: else
    fi;
    forget(s);
    state[s] = DEAD; command[s] = 0; applied[s] = 0; row_epoch[s] = 0; prior[s] = 0;
    after_fence[s] = 0; crashed[s] = 0; shut[s] = 0
}
#ifdef M_STRAYS_LEFT
#define STRAYS_GONE(s) true
#else
#define STRAYS_GONE(s) (stray[s] == 0)
#endif
#ifdef LOSTHOST
#define COMES_BACK(s) (s == 1)
#else
#define COMES_BACK(s) true
#endif
#define OPEN(s)                                                                                    \
    (state[s] == QUEUED || state[s] == RUNNING || state[s] == RETRYING ||                          \
     state[s] == ROLLING_BACK || state[s] == CLEARING || BACKING_OFF(s))

#define TERMINATE(s, b)                                                                            \
    :: d_step { stage[s] == 1 && terminated < NTERM && BLOCKS(b) ->                                \
        terminated++;                                                                              \
        if :: zombie[b] -> lane_free(b) :: else -> lane[b] = L_LOST fi }

#define COMMAND(s, c)                                                                              \
    :: d_step { commands < NCMD && state[s] != DEAD && !shut[s] &&                                 \
                (!command[s] || c == KILL && command[s] == STOP && state[s] == STOPPING) ->        \
        commands++;                                                                                \
        REMEDY(s, c == STOP || c == KILL);                                                         \
        if :: command[s] -> stray_away(s); work_kill(s); command[s] = c; applied[s] = 1;           \
              LOOK(s); save(s, KILL_FENCING, MOVE_KILL)                                            \
           :: else -> command[s] = c fi;                                                           \
        if :: c == UPLOAD || c == RESTART || c == STOP && promised != STOPPED ->                   \
              promised = (promised == PROCESSED -> PROCESSED : 0); promised_point = 0              \
           :: else fi }

#define SUPERVISOR(s)                                                                              \
    COMMAND(s, UPLOAD)                                                                             \
    COMMAND(s, RESTART)                                                                            \
    COMMAND(s, STOP)                                                                               \
    COMMAND(s, KILL)                                                                               \
    :: d_step { state[s] == REST && command[s] && !applied[s] && !worker[s] -> command_at_rest(s) }\
    :: d_step { OPEN(s) && command[s] && !applied[s] -> command_while_open(s) }                    \
    :: d_step { state[s] == READING -> read_row(s) }                                               \
    :: d_step { (state[s] == QUEUED || state[s] == RETRYING) && !shut[s] ->                        \
        save(s, STARTING, MOVE_START) }                                                            \
    :: d_step { BACKING_OFF(s) -> save(s, FENCING, MOVE_FENCE) }                                   \
    /* the statement under way */                                                                  \
    :: d_step { stage[s] == 1 && REQUIRES(sent[s]) && !snapshot[s] ->                              \
        snapshot[s] = SHOWS(sent[s]) }                                                             \
    :: d_step { stage[s] == 1 && MAY_RUN(sent[s]) && (!REQUIRES(sent[s]) || snapshot[s]) ->        \
        run_move(s, sent[s], cas[s], snapshot[s], with[s]);                                        \
        snapshot[s] = 0;                                                                           \
        if :: done_ -> stage[s] = 2; new_epoch[s] = epoch; saw_wanted[s] = wanted                  \
           :: else -> stage[s] = 3 fi }                                                            \
    :: d_step { stage[s] == 2 && (worker[s] || ANY_SLOT) -> saved(s) }                             \
    :: d_step { stage[s] == 2 && sent[s] == MOVE_START && fails < NFAIL && !final ->               \
        fails++; row_epoch[s] = new_epoch[s]; save(s, FAILING, MOVE_FAIL) } /* retry_limit */      \
    :: d_step { stage[s] == 3 ->                                                                   \
        if :: sent[s] == FENCE_SET -> /* nothing is unfinished; what an earlier life marked? */    \
              if :: owner == s && status == KILLED && mark ->                                      \
                    row_epoch[s] = epoch; crashed[s] = 1; resume(s)                                \
                 :: else -> rest(s) fi                                                             \
           :: else -> missed(s) fi }                                                               \
    :: d_step { stage[s] && losses < NLOST -> losses++; stray_away(s); missed(s) }                 \
    TERMINATE(s, 0)                                                                                \
    TERMINATE(s, 1)                                                                                \
    TERMINATE(s, 2)                                                                                \
    TERMINATE(s, 3)                                                                                \
    :: d_step { stray[s] && REQUIRES(stray[s]) && !stray_snapshot[s] ->                            \
        stray_snapshot[s] = SHOWS(stray[s]) }                                                      \
    :: d_step { stray[s] && MAY_RUN(stray[s]) && (!REQUIRES(stray[s]) || stray_snapshot[s]) ->     \
        run_move(s, stray[s], stray_cas[s], stray_snapshot[s], stray_with[s]); forget_stray(s) }   \
    :: d_step { stray[s] -> forget_stray(s) }                                                      \
    /* its worker */                                                                               \
    :: d_step { worker[s] && work[worker[s] - 1] > W_ROLL -> worker_ended(s) }                     \
    :: d_step { (state[s] == ROLLING_BACK || state[s] == CLEARING) && worker[s] &&                 \
                work[worker[s] - 1] <= W_ROLL && crashes < NCRASH ->                               \
        crashes++; work_kill(s); state[s] = BETWEEN(s) } /* stop_timeout */                       \
    :: d_step { state[s] == ENDING && worker[s] && work[worker[s] - 1] <= W_ROLL &&                \
                crashes < NCRASH ->                                                                \
        crashes++; vw = worker[s] - 1; work_end(vw, CRASHED) }                                     \
    /* shutdown */                                                                                 \
    :: d_step { shuts < NSHUT && state[s] != DEAD && state[s] != RECOVERING && !shut[s] ->         \
        shuts++; shut[s] = 1 }                                                                     \
    :: d_step { shut[s] && !command[s] && (state[s] == QUEUED || state[s] == RETRYING) ->          \
        crashed[s] = 0; save(s, INTERRUPTING, MOVE_INTERRUPT) }                                    \
    :: d_step { shut[s] && !command[s] && state[s] == RUNNING ->                                   \
        state[s] = ENDING;                                                                         \
        if :: work[worker[s] - 1] <= W_ROLL -> told[worker[s] - 1] = TELL_FINISH :: else fi }      \
    :: d_step { shut[s] && !command[s] && (state[s] == REST || state[s] == ROLLING_BACK ||         \
                state[s] == CLEARING || BACKING_OFF(s)) -> supervisor_dies(s) } /* LEFT */         \
    /* death and the next life */                                                                  \
    :: d_step { state[s] != DEAD && crashes < NCRASH -> crashes++; supervisor_dies(s) }            \
    :: d_step { state[s] == DEAD && COMES_BACK(s) && STRAYS_GONE(s) ->                             \
        row_epoch[s] = 0; save(s, RECOVERING, FENCE_SET) }

/* ---- gate and pop ---- */
#ifdef M_GATE_NOEPOCH
#define GATE_EPOCH(b) true
#else
#define GATE_EPOCH(b)                                                                              \
    (lane_epoch[b] == epoch && lane_owner[b] == owner && status == PROCESSING && !wanted)
#endif
#ifdef M_GATE_NOWANTED
#undef GATE_EPOCH
#define GATE_EPOCH(b) (lane_epoch[b] == epoch && lane_owner[b] == owner && status == PROCESSING)
#endif
#ifdef M_GATE_NOFINAL
#define GATE_FINAL true
#else
#define GATE_FINAL (final == 0)
#endif
#ifdef M_GATE_NOCHAIN
#define GATE_CHAIN(b) true
#else
#define GATE_CHAIN(b) (POINT == lane_chunk[b])
#endif
/* file_checkpoint's primary key: who inserts the same chunk waits, and then fails */
#ifdef M_NO_PRIMARY_KEY
#define TWIN(b) false
#define GATE_KEY(b) true
#else
#define TWIN_OF(b, o) (o != b && lane[o] == L_GATED && lane_chunk[o] == lane_chunk[b])
#define TWIN(b) (TWIN_OF(b, 0) || TWIN_OF(b, 1) || TWIN_OF(b, 2) || TWIN_OF(b, 3))
#define GATE_KEY(b) (!checkpoint[lane_chunk[b]])
#endif
inline commit(b)
{
    assert(lane_epoch[b] == epoch); /* 4: one worker can commit */
    assert(!final);                 /* 1: nothing is appended to a file that is in */
    rows[lane_chunk[b]] = rows[lane_chunk[b]] + !eaten[b];
    checkpoint[lane_chunk[b]]++;
    if
    :: lane_final[b] -> final = lane_chunk[b] + 1; on_disk()
    :: !lane_final[b] && lates == 3 -> on_disk()
    :: else -> late[lates] = lane_chunk[b]; lates++
    fi;
    if :: key == b + 1 -> key = 0 :: else fi;
    if :: zombie[b] -> lane_free(b) :: else -> lane[b] = L_IN fi;
    musts()
}
#ifdef M_POP_NOEPOCH
#define POP_EPOCH(b) true
#else
#define POP_EPOCH(b) (lane_epoch[b] == epoch && wanted)
#endif
inline pop(b)
{
#ifndef M_POP_NOLOCK
    assert(lane_epoch[b] == epoch); /* 4 */
#endif
    v = lane_chunk[b];
    do
    :: v < CHUNKS -> checkpoint[v] = 0; rows[v] = 0; v++
    :: else -> break
    od;
    final = 0;
    on_disk();
    if :: POINT == 0 -> changed = 0 :: else fi;
    if :: zombie[b] -> lane_free(b) :: else -> lane[b] = P_DONE fi;
    musts()
}

/* ---- a worker and its lanes ---- */
#ifdef M_COMMIT_EARLY
#define PREDECESSOR_IN(w, b) true
#else
#define PREDECESSOR_IN(w, b) (lane_chunk[b] == work_in[w])
#endif
#define OTHER(b) (b ^ 1)
#ifdef KEYS
#define FIRST L_COPY
#else
#define FIRST L_COPIED
#endif
#ifdef M_NOCOUNT
#define COUNTED(b) true
#else
#define COUNTED(b) (!eaten[b])
#endif
#ifdef M_FALLBACK_KEEPS_LATER
#define LATER_BACK(w, b) skip
#else
#define LATER_BACK(w, b)                                                                           \
    if :: lane[OTHER(b)] == L_COPY || lane[OTHER(b)] == L_COPIED -> lane_free(OTHER(b)) :: else fi
#endif
#ifdef M_NO_LOCK_TIMEOUT
#define TIMES_OUT false
#else
#define TIMES_OUT true
#endif
#if defined(M_LANE_HOLE)
/* the worker goes on as if the lost chunk were in */
#define LANE_LOST(w, b)                                                                            \
    if                                                                                             \
    :: lane_chunk[b] == work_in[w] && !lane_final[b] -> work_in[w]++; lane_orphan(b)               \
    :: else -> work_end(w, TROUBLE)                                                                \
    fi
#elif defined(M_LANE_REDO)
/* the worker does the lost chunk again, under the same epoch */
#define LANE_LOST(w, b)                                                                            \
    lane_orphan(b);                                                                                \
    if :: lane[OTHER(b)] == L_COPIED -> lane_free(OTHER(b)) :: else fi;                            \
    work_next[w] = work_in[w]
#else
#define LANE_LOST(w, b) work_end(w, TROUBLE)
#endif

#define LANE(w, b)                                                                                 \
    /* load */                                                                                     \
    :: d_step { work[w] == W_LOAD && lane[b] == L_FREE && work_next[w] <= last && !ending[w] &&    \
                (!alone[w] || lane[OTHER(b)] == L_FREE) ->                                         \
        lane[b] = FIRST; lane_chunk[b] = work_next[w]; lane_epoch[b] = work_epoch[w];              \
        lane_owner[b] = work_owner[w]; lane_final[b] = (work_next[w] == last); work_next[w]++ }    \
    :: d_step { work[w] == W_LOAD && lane[b] == L_COPY && key == 0 ->                              \
        key = b + 1; lane[b] = L_COPIED }                                                          \
    /* lock_timeout: later lanes roll back, the earliest chunk not in is done again, alone */      \
    :: d_step { work[w] == W_LOAD && lane[b] == L_COPY && key == OTHER(b) + 1 && TIMES_OUT &&      \
                !alone[w] ->                                                                       \
        alone[w] = 1;                                                                              \
        LATER_BACK(w, b);                                                                          \
        work_next[w] = (lane[OTHER(b)] == L_FREE -> work_in[w] : lane_chunk[b]);                   \
        lane_free(b) }                                                                             \
    :: d_step { work[w] == W_LOAD && lane[b] == L_COPIED && eats < NEAT ->                         \
        eats++; eaten[b] = 1;                                                                      \
        if :: COUNTED(b) -> skip :: else -> work_end(w, WORKER_FAILED) fi }                        \
    :: d_step { work[w] == W_LOAD && lane[b] == L_COPIED && PREDECESSOR_IN(w, b) ->                \
        lane[b] = L_SENT }                                                                         \
    :: d_step { lane[b] == L_SENT && !ANY_EXCLUSIVE && !TWIN(b) ->                                 \
        if :: GATE_EPOCH(b) && GATE_CHAIN(b) && GATE_FINAL && GATE_KEY(b) -> lane[b] = L_GATED     \
           :: else -> if :: zombie[b] -> lane_free(b) :: else -> lane[b] = L_REFUSED fi fi }       \
    :: d_step { lane[b] == L_GATED -> commit(b) }                                                  \
    :: d_step { zombie[b] -> lane_free(b) } /* lost with its connection */                         \
    :: d_step { lane[b] == L_IN && work[w] == W_LOAD ->                                            \
        work_in[w]++;                                                                              \
        if :: lane_final[b] -> work_end(w, LOADED) :: else -> lane_free(b) fi }                    \
    :: d_step { lane[b] == L_IN && work[w] == W_ROLL -> lane_free(b) }                             \
    :: d_step { lane[b] == L_REFUSED && work[w] == W_ROLL && lane_epoch[b] != work_epoch[w] ->     \
        lane_free(b) }                                                                             \
    :: d_step { lane[b] == L_REFUSED && (work[w] == W_LOAD ||                                      \
                work[w] == W_ROLL && lane_epoch[b] == work_epoch[w]) -> work_end(w, FENCED) }      \
    :: d_step { lane[b] == L_LOST && (work[w] == W_LOAD || work[w] == W_ROLL) ->                   \
        work_end(w, TROUBLE) }                                                                     \
    :: d_step { lane_losses < NLANE && !zombie[b] && (work[w] == W_LOAD || work[w] == W_ROLL) &&   \
                (lane[b] == L_COPY || lane[b] == L_COPIED || lane[b] == L_SENT ||                  \
                 lane[b] == L_GATED || lane[b] == P_SENT || lane[b] == P_HELD) ->                  \
        lane_losses++;                                                                             \
        if :: work[w] == W_LOAD -> LANE_LOST(w, b) :: else -> work_end(w, TROUBLE) fi }

#define ANY_BUSY(w) (lane[2 * (w)] != L_FREE || lane[2 * (w) + 1] != L_FREE)
#define WORKER(w)                                                                                  \
    :: d_step { work[w] == W_LOAD_START ->                                                         \
        if :: changed && POINT > 0 -> work_end(w, CHANGED)                                         \
           :: !(changed && POINT > 0) && work_in[w] > last -> work_end(w, LOADED)                  \
           :: else -> work[w] = W_LOAD fi }                                                        \
    :: d_step { work[w] == W_ROLL_START -> work[w] = W_ROLL }                                      \
    :: d_step { work[w] == W_LOAD && told[w] == TELL_ROLLBACK ->                                   \
        work[w] = W_ROLL; work_epoch[w] = told_epoch[w]; told[w] = 0; told_epoch[w] = 0;           \
        ending[w] = 0; alone[w] = 0; work_next[w] = 0; work_in[w] = 0;                             \
        if :: lane[2 * w] == L_COPY || lane[2 * w] == L_COPIED -> lane_free(2 * w) :: else fi;     \
        if :: lane[2 * w + 1] == L_COPY || lane[2 * w + 1] == L_COPIED -> lane_free(2 * w + 1)     \
           :: else fi }                                                                            \
    :: d_step { work[w] == W_LOAD && told[w] == TELL_FINISH -> ending[w] = 1; told[w] = 0 }        \
    :: d_step { work[w] == W_LOAD && ending[w] && !ANY_BUSY(w) -> work_end(w, FINISHED) }          \
    :: d_step { work[w] == W_LOAD && ANY_BUSY(w) && fails < NFAIL ->                               \
        fails++; work_end(w, WORKER_FAILED) }                                                      \
    /* roll back, on its first lane, when what was sent before is answered */                      \
    :: d_step { work[w] == W_ROLL && !ANY_BUSY(w) ->                                               \
        lane[2 * w] = P_SENT; lane_epoch[2 * w] = work_epoch[w]; lane_owner[2 * w] = work_owner[w] } \
    :: d_step { lane[2 * w] == P_SENT && POP_FREE ->                                               \
        if :: !(POP_EPOCH(2 * w)) ->                                                               \
              if :: zombie[2 * w] -> lane_free(2 * w) :: else -> lane[2 * w] = L_REFUSED fi        \
           :: else ->                                                                              \
              if :: POINT == 0 -> vw = zombie[2 * w]; lane_free(2 * w);                            \
                    if :: !vw -> work_end(w, ROLLED_BACK) :: else fi                               \
                 :: else -> lane[2 * w] = P_HELD; lane_chunk[2 * w] = POINT - 1 fi fi }            \
    :: d_step { lane[2 * w] == P_SENT && POP_FREE && POP_EPOCH(2 * w) && POINT >= 2 ->             \
        lane[2 * w] = P_HELD; lane_chunk[2 * w] = POINT - 2 } /* two chunks in a step */           \
    :: d_step { lane[2 * w] == P_HELD -> pop(2 * w) }                                              \
    :: d_step { lane[2 * w] == P_DONE && work[w] == W_ROLL -> lane_free(2 * w) }                   \
    :: d_step { orphaned[w] -> work_end(w, 0) } /* it sees that its supervisor is gone */          \
    :: d_step { !orphaned[w] && work[w] && work[w] <= W_ROLL && crashes < NCRASH ->                \
        crashes++; work_end(w, CRASHED) }
#ifdef M_POP_NOLOCK
#define POP_FREE true
#else
#define POP_FREE UNLOCKED
#endif

inline server_gone(s)
{
    forget_stray(s);
    if :: stage[s] -> missed(s) :: else fi
}
inline connections_gone(w)
{
    if :: work[w] == W_LOAD || work[w] == W_ROLL -> work_end(w, TROUBLE) :: else fi;
    lane_free(2 * w);
    lane_free(2 * w + 1)
}
#define LOADING(w) (work[w] == W_LOAD_START || work[w] == W_LOAD)
#define QUIET                                                                                      \
    (lane[0] == L_FREE && lane[1] == L_FREE && lane[2] == L_FREE && lane[3] == L_FREE &&           \
     work[0] == 0 && work[1] == 0 && command[0] == 0 && command[1] == 0)

active proctype everything()
{
    d_step {
        state[0] = QUEUED;
        state[1] = REST;
        row_epoch[0] = 1
    };
end:
    do
    SUPERVISOR(0)
#if NSUP > 1
    SUPERVISOR(1)
#endif
    WORKER(0)
    LANE(0, 0)
    LANE(0, 1)
    WORKER(1)
    LANE(1, 2)
    LANE(1, 3)
#if NSERVER
    /* the server loses what was not on disk, from some commit on */
    :: atomic {
        server_crashes < NSERVER ->
        server_crashes++;
        do
        :: lates > 0 -> d_step { lates--; v = late[lates]; late[lates] = 0; checkpoint[v]--; rows[v]-- }
        :: break
        od;
        d_step {
            connections_gone(0); connections_gone(1); server_gone(0); server_gone(1);
            on_disk();
            if :: POINT == 0 -> changed = 0 :: else fi;
            musts()
        }
    }
#endif
#if NGROW
    :: d_step { grown < NGROW && last < CHUNKS - 1 && !LOADING(0) && !LOADING(1) -> grown++; last++ }
#endif
#if NCHANGE
    :: d_step { changes < NCHANGE && POINT > 0 && !changed && !LOADING(0) && !LOADING(1) ->
        changes++; changed = 1 }
#endif
    /* nothing more comes from outside: what is open must end by itself */
    :: d_step {
        commands < NCMD || crashes < NCRASH || losses < NLOST || lane_losses < NLANE ||
        server_crashes < NSERVER || terminated < NTERM || fails < NFAIL || shuts < NSHUT ||
        grown < NGROW || changes < NCHANGE || eats < NEAT ->
        commands = NCMD; crashes = NCRASH; losses = NLOST; lane_losses = NLANE;
        server_crashes = NSERVER; terminated = NTERM; fails = NFAIL; shuts = NSHUT; grown = NGROW;
        changes = NCHANGE; eats = NEAT
    }
    :: timeout -> break
    od;
#ifdef LOSTHOST
    /* a stop or kill is the remedy for a lost host */
    assert(state[1] == REST && command[1] == 0);
    assert(!remedy || !UNFINISHED);
    assert(!owed || owner == 0 && state[0] == DEAD)
#else
    assert(QUIET && state[0] == REST && state[1] == REST);
    assert(!owed);                                    /* 3: a durable stop or restart completes */
    assert(status == PROCESSED || status == STOPPED || /* and what nobody ended goes on to its end */
           status == KILLED && ended_by || status == FAILED)
#endif
}
