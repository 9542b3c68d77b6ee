/* SPDX-License-Identifier: PostgreSQL */
/* Prints the state machine: as the document, as text that a test compares, as a drawing. */
#include "supervisor/states.h"

static const char *status_or_row(enum state state)
{
    return state_status(state) == STATUS_NONE && state != ST_ABSENT
               ? "as the row says"
               : status_name(state_status(state));
}

void states_print_text(FILE *out)
{
    for (enum state s = 0; s < STATE_COUNT; s++)
        for (enum event e = 0; e < EVENT_COUNT; e++) {
            struct transition t = fsm_next(s, e);
            if (t.verdict == FSM_EDGE)
                fprintf(out, "%s + %s -> %s / %s: %s\n", state_name(s), event_name(e),
                        state_name(t.next), action_name(t.action), t.reason);
            else if (t.verdict == FSM_REFUSED)
                fprintf(out, "%s + %s refused %s: %s\n", state_name(s), event_name(e),
                        error_code_name(t.refusal), t.reason);
            else if (t.verdict == FSM_WAITS)
                fprintf(out, "%s + %s waits\n", state_name(s), event_name(e));
            else
                fprintf(out, "%s + %s impossible\n", state_name(s), event_name(e));
        }
}

void states_print_dot(FILE *out)
{
    static const char *const shapes[] = {
        [STATE_OPEN] = "box", [STATE_BUSY] = "ellipse", [STATE_REST] = "octagon"};

    fprintf(out, "digraph upload {\n  rankdir=LR; node [fontname=\"sans\"]; "
                 "edge [fontname=\"sans\", fontsize=9];\n");
    for (enum state s = 0; s < STATE_COUNT; s++)
        fprintf(out, "  %s [shape=%s, label=\"%s\\n%s\"];\n", state_name(s), shapes[state_kind(s)],
                state_name(s), status_or_row(s));
    for (enum state s = 0; s < STATE_COUNT; s++)
        for (enum event e = 0; e < EVENT_COUNT; e++) {
            struct transition t = fsm_next(s, e);
            if (t.verdict == FSM_EDGE && t.next != s)
                fprintf(out, "  %s -> %s [label=\"%s\"];\n", state_name(s), state_name(t.next),
                        event_name(e));
        }
    fprintf(out, "}\n");
}

static void print_drawing(FILE *out)
{
    fprintf(out, "```mermaid\nstateDiagram-v2\n");
    for (enum state s = 0; s < STATE_COUNT; s++)
        for (enum event e = 0; e < EVENT_COUNT; e++) {
            struct transition t = fsm_next(s, e);
            if (t.verdict == FSM_EDGE && t.next != s)
                fprintf(out, "    %s --> %s: %s\n", state_name(s), state_name(t.next),
                        event_name(e));
        }
    fprintf(out, "```\n");
}

void states_print_markdown(FILE *out)
{
    static const char *const kinds[] = {
        [STATE_OPEN] = "open", [STATE_BUSY] = "busy: commands wait", [STATE_REST] = "at rest"};

    fprintf(out, "# States\n\nGenerated from supervisor/states.c by `make docs`; do not edit.\n\n"
                 "## States\n\n| state | durable status | phase | kind |\n| --- | --- | --- | --- "
                 "|\n");
    for (enum state s = 0; s < STATE_COUNT; s++)
        fprintf(out, "| %s | %s | %s | %s |\n", state_name(s), status_or_row(s), state_phase(s),
                kinds[state_kind(s)]);
    fprintf(out, "\n## Events\n\n| event | what happened |\n| --- | --- |\n");
    for (enum event e = 0; e < EVENT_COUNT; e++)
        fprintf(out, "| %s | %s |\n", event_name(e), event_text(e));
    fprintf(out, "\n## Actions\n\n| action | what is done |\n| --- | --- |\n");
    for (enum action a = 0; a < ACTION_COUNT; a++)
        fprintf(out, "| %s | %s |\n", action_name(a), action_text(a));
    fprintf(out, "\n## Transitions\n\nA pair that is not listed waits (a command in a busy state) "
                 "or cannot happen.\n\n| state | event | next | action | reason |\n| --- | --- | "
                 "--- | --- | --- |\n");
    for (enum state s = 0; s < STATE_COUNT; s++)
        for (enum event e = 0; e < EVENT_COUNT; e++) {
            struct transition t = fsm_next(s, e);
            if (t.verdict == FSM_EDGE)
                fprintf(out, "| %s | %s | %s | %s | %s |\n", state_name(s), event_name(e),
                        state_name(t.next), action_name(t.action), t.reason);
            else if (t.verdict == FSM_REFUSED)
                fprintf(out, "| %s | %s | refused: %s | | %s |\n", state_name(s), event_name(e),
                        error_code_name(t.refusal), t.reason);
        }
    fprintf(out, "\n## Drawing\n\n");
    print_drawing(out);
}
