Feature: Refreshing
  Handling the end of a refresh token begins with handling it well while it lives: one refresh, a new pair, stored before
  it is relied on.

  @REFRESH-01 @must @error
  Rule: A refresh request is correct

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject refreshes with a correct request (REFRESH-01)

      Examples:
        | story           | what happens           |
        | refreshed_twice | Two refreshes in a row |

  @REFRESH-02 @must @error
  Rule: Both tokens are replaced

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject uses the new access token, and refreshes with the new refresh token (REFRESH-02)

      Examples:
        | story           | what happens           |
        | refreshed_twice | Two refreshes in a row |

  @REFRESH-03 @must @error
  Rule: Both tokens are persisted before they are relied on

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the restarted subject refreshes with the newest refresh token (REFRESH-03)

      Examples:
        | story                | what happens                                |
        | killed_after_refresh | The subject is killed right after a refresh |

  @REFRESH-04 @should @warning
  Rule: Tokens are refreshed in time

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject sends no call with a token that it knows to be over (REFRESH-04)

      Examples:
        | story                           | what happens                                                |
        | access_token_runs_out           | The access token runs out between two pieces of work        |
        | access_token_runs_out_far_east  | The access token runs out, fourteen hours east of Greenwich |
        | access_token_runs_out_far_west  | The access token runs out, eleven hours west of Greenwich   |
        | lifetime_of_three_seconds       | Access tokens live three seconds                            |
        | off_longer_than_the_token_lives | The subject is off for longer than its access token lives   |

  @REFRESH-05 @must @error
  Rule: Tokens are opaque, and come back byte for byte

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject presents both tokens as they were given (REFRESH-05)

      Examples:
        | story                          | what happens                                |
        | tokens_of_2000_characters      | Tokens have 2000 characters                 |
        | tokens_that_look_like_jwts     | Access tokens look like expired JWTs        |
        | tokens_with_unusual_characters | Tokens hold every character that is allowed |

  @REFRESH-06 @must @error
  Rule: Any legal lifetime will do

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject goes on working, and does not refresh in circles (REFRESH-06)

      Examples:
        | story                       | what happens                       |
        | lifetime_as_fraction        | The lifetime comes as a fraction   |
        | lifetime_as_text            | The lifetime comes as a text       |
        | lifetime_of_three_centuries | Access tokens live three centuries |
        | lifetime_of_three_seconds   | Access tokens live three seconds   |
        | no_lifetime                 | Answers name no lifetime           |

  @REFRESH-07 @must @error
  Rule: An answer without a refresh token leaves the old one in its place

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject refreshes again with the token it had (REFRESH-07)

      Examples:
        | story                  | what happens                             |
        | no_new_refresh_token   | A refresh gives no new refresh token     |
        | refresh_token_is_empty | A refresh gives an empty refresh token   |
        | refresh_token_is_null  | A refresh gives null for a refresh token |

  @REFRESH-08 @must @error
  Rule: The access token travels as Bearer in the Authorization header only

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject sends the access token in no other way (REFRESH-08)

      Examples:
        | story                       | what happens                                         |
        | a_report_meets_401          | A report meets 401, and the refresh succeeds         |
        | api_403_and_refresh_refused | The API answers 403, and the refresh is refused      |
        | revoked_in_mid_work         | The user revokes access while a report is on its way |
        | user_revokes_access         | The user revokes access                              |

  @REFRESH-09 @should @warning
  Rule: Tokens are not refreshed without need

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject refreshes no more often than lifetimes ask for (REFRESH-09)

      Examples:
        | story                              | what happens                                           |
        | lifetime_grows                     | A token of two seconds is followed by one of two hours |
        | steady_work_with_long_lived_tokens | Steady work, with tokens that live two hours           |

  @REFRESH-10 @must @error
  Rule: Introspection is no clock

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject does its work without asking whether its token is good (REFRESH-10)

      Examples:
        | story                              | what happens                                 |
        | steady_work_with_long_lived_tokens | Steady work, with tokens that live two hours |

  @REFRESH-11 @should @warning
  Rule: Fewer scopes are no reason for a storm

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject does not repeat what it may not do (REFRESH-11)

      Examples:
        | story                   | what happens                |
        | fewer_scopes_on_refresh | Refreshes give fewer scopes |

  @REFRESH-12 @should @warning
  Rule: An attempt is one request

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject sends each attempt once (REFRESH-12)

      Examples:
        | story                         | what happens                                 |
        | refused_right_after_a_restart | The refresh is refused right after a restart |

  @REFRESH-13 @must @error
  Rule: A healthy connection survives a restart

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject works again without a new consent (REFRESH-13)

      Examples:
        | story                              | what happens                                              |
        | off_longer_than_the_token_lives    | The subject is off for longer than its access token lives |
        | steady_work_with_long_lived_tokens | Steady work, with tokens that live two hours              |
