//! The house tested from the street: SIP phones call a PBX, which hands their audio to Hotline;
//! agents answer, mails arrive. Nothing is simulated but people.
//!
//! Each scenario is written once, in the files named by what it is about, and takes the switch that
//! it is to run on. This page says which one runs where; `cargo test --test calls freeswitch::` runs
//! one switch alone. A scenario that runs nowhere is a warning of the compiler.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod house;
mod leave;
mod orders;
mod people;
mod promise;
mod reach;
mod survive;
mod talk;

use street::pbx::Switch;

/// Makes a test of each scenario.
macro_rules! run {
    ($switch:ident: $($room:ident::$scenario:ident)*) => {
        $(
            #[tokio::test]
            async fn $scenario() {
                crate::$room::$scenario(crate::Switch::$switch).await;
            }
        )*
    };
}

/// What needs a caller only; what an agent is told is read in the journal where nobody has a phone.
macro_rules! with_a_caller {
    ($switch:ident) => {
        run! { $switch:
            reach::a_spoken_danish_wish_reaches_the_right_agent_and_both_hear_each_other
            reach::a_spoken_english_wish_reaches_the_right_agent_who_is_told_the_language
            reach::keys_alone_reach_the_right_agent_when_nothing_can_be_heard
            talk::the_bot_falls_silent_when_the_caller_speaks
            talk::a_key_pressed_while_the_bot_speaks_is_understood_and_it_falls_silent
            promise::a_message_left_out_of_hours_arrives_as_a_mail_with_a_playable_wav
            promise::a_cancellation_reaches_the_department_through_a_real_mail_server
        }
    };
}

/// What needs agents' phones, queues to wait in, calls to the outside, or a PBX that goes on
/// without Hotline.
macro_rules! with_a_contact_centre {
    ($switch:ident) => {
        run! { $switch:
            reach::the_agent_alone_hears_the_whisper_before_the_caller_is_connected
            reach::a_caller_in_a_queue_can_be_sent_back_to_the_bot_and_on_to_another_queue
            talk::a_wideband_call_is_recognised
            talk::a_caller_hears_the_next_voice_when_the_first_one_hangs
            talk::fifty_calls_at_once_are_all_served_and_their_frames_leave_on_time
            promise::a_caller_who_hangs_up_while_recording_has_left_a_message_all_the_same
            promise::a_phone_that_sends_nothing_any_more_does_not_hold_up_the_message
            promise::when_the_wait_is_long_a_callback_is_ordered_and_the_caller_is_rung_and_connected
            promise::agent_first_an_agent_is_found_before_the_caller_is_rung
            promise::a_callback_outlives_a_kill_of_hotline_and_a_restart_of_the_pbx_and_is_made_once
            promise::a_caller_who_got_through_meanwhile_is_not_called_back
            promise::with_the_mail_server_down_the_promise_is_kept_when_it_is_back_and_only_once
            promise::what_was_promised_before_a_kill_is_carried_out_after_the_restart_once
            leave::hanging_up_in_each_state_leaves_nothing_behind
            survive::without_hotline_the_caller_is_in_the_ordinary_queue
            survive::killed_in_mid_call_the_caller_is_in_the_ordinary_queue
            survive::frozen_in_mid_call_the_guard_ends_it_and_the_caller_is_in_the_ordinary_queue
            survive::without_an_engine_to_speak_the_caller_is_in_the_ordinary_queue
            survive::after_a_restart_of_the_pbx_the_link_is_back_and_calls_are_served
            survive::garbage_on_every_port_is_logged_and_harms_nobody
        }
    };
}

mod builtin {
    with_a_caller!(BuiltIn);
}

mod asterisk {
    with_a_caller!(Asterisk);
    with_a_contact_centre!(Asterisk);
    // Only Asterisk's dialplan announces calls, so that only there it can be done by HTTP. What
    // pocketsphinx hears does not depend on the switch.
    run! { Asterisk:
        reach::a_call_announced_by_http_needs_no_event
        people::a_persons_voice_reaches_the_right_department_through_pocketsphinx
        people::digits_a_person_speaks_are_read_back_through_pocketsphinx
    }
}

mod freeswitch {
    with_a_caller!(FreeSwitch);
    with_a_contact_centre!(FreeSwitch);
    // Asterisk cannot tell that Hotline is frozen (Hotline's guard ends it), and knows one host.
    run! { FreeSwitch:
        survive::frozen_without_a_guard_the_pbx_takes_the_caller_to_the_ordinary_queue
        survive::of_two_hotlines_the_second_takes_the_calls_when_the_first_is_killed
    }

    /// What Hotline's room for FreeSWITCH does by itself.
    macro_rules! orders {
        ($($scenario:ident)*) => {
            $(
                #[tokio::test]
                async fn $scenario() {
                    crate::orders::$scenario().await;
                }
            )*
        };
    }
    orders! {
        a_caller_is_moved_to_an_extension_whose_phone_is_told_why
        a_caller_is_moved_to_a_number_outside_which_is_told_nothing
        an_extension_that_is_busy_is_a_refusal_and_the_dialplan_has_the_caller
        a_queue_that_does_not_exist_leaves_the_caller_with_us
        a_caller_whom_somebody_else_moves_is_left_where_they_are
        every_way_a_call_to_a_citizen_can_go_is_understood
        a_gateway_that_is_not_there_is_a_failure_of_the_network
        agent_first_tells_an_agent_who_is_not_there_from_a_citizen_who_is_not
    }
}
